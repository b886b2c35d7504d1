"""Reports progress to the operator and, at the end, to the kubelet."""
