"""The certificates of the report server: issued, stored and renewed."""
