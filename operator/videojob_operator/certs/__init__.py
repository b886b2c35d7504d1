"""The certificates of the report server: made, stored, renewed."""
