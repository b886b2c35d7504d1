"""VQGAN from a pack."""
