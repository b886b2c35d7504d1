"""The cluster: API-server level, node level, and what runs in them."""
