"""Stands between a runner and the world: brings inputs, watches STATUS, publishes, reports."""
