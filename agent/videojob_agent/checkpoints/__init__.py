"""Checkpoints between the runner's folder and the output: upload, index, restore."""
