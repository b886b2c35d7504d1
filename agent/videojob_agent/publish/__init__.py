"""Publishes frames, videos and the manifest to the output."""
