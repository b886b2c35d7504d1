"""The VideoJob resource: spec, status and their parts."""
