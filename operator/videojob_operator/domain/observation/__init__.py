"""What is known about one VideoJob: objects of the cluster in our own types."""
