"""Upscalers from a pack."""
