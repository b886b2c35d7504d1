"""The file contract between a runner and the world: modes, STATUS, signals, checkpoints, and the seam to engines."""
