"""CLIP from a pack."""
