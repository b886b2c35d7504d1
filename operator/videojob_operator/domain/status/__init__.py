"""Derives the status of a VideoJob: conditions, display state and events."""
