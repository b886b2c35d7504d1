"""Manifests that the operator creates: Job, pod, volumes and plan."""
