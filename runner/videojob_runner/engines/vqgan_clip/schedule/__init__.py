"""Which iteration does what: forms, rates, plateaus."""
