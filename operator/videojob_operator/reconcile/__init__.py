"""Reconciles VideoJobs with the cluster, one key at a time."""
