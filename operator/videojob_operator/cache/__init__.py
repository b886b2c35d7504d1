"""What the operator knows of the cluster without asking again: informers and buffers."""
