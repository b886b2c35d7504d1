"""`videojob`, the command line: runs a VideoJob's manifest on this machine, without a cluster."""
