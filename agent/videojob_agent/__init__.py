"""The sidecar: fetches inputs, reads STATUS, publishes output, reports progress."""
