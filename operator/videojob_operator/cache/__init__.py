"""Caches of the cluster's state, fed by watches."""
