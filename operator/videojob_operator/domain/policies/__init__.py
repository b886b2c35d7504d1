"""Policies, one module each: acceptance, startup, suspension, failures and completion."""
