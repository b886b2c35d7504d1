"""Cutouts: the augmented views of an image that CLIP judges."""
