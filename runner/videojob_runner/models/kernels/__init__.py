"""Faster and smaller ways to compute layers whose weights are frozen."""
