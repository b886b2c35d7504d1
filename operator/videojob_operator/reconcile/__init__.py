"""Bringing the cluster to the decided state, one VideoJob at a time."""
