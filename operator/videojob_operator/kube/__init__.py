"""The Kubernetes API: client, errors, kinds, and calls that are not served by a cache."""
