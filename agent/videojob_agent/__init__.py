"""The agent: fetches inputs, reads the runner's STATUS, publishes its output and reports progress."""
