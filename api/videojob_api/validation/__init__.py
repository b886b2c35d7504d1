"""Rules that are both a check of the pydantic models and a CEL rule of the CRD."""
