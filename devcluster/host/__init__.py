"""What the cluster needs of this machine: processes, locks, ports, mounts."""
