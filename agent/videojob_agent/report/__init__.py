"""Telling the operator, and in the end the kubelet, how far the job is."""
