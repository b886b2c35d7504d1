"""How the operator sees and touches Kubernetes: client, informers, apply, events."""
