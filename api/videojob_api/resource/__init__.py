"""The VideoJob resource: spec, status and what they are made of."""
