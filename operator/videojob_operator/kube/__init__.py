"""The Kubernetes API: client, errors, kinds, and the calls that no cache serves."""
