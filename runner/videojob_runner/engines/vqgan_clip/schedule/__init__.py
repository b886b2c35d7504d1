"""Schedules of iterations: forms, learning rates, plateaus."""
