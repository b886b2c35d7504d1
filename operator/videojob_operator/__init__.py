"""The operator: runs each VideoJob as one Kubernetes Job and keeps its status."""
