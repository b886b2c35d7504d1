"""The status of a VideoJob: conditions, display state, events."""
