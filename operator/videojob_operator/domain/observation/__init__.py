"""Observations: objects of the cluster as typed, immutable facts about one VideoJob."""
