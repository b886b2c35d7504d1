"""Running a VideoJob on this machine."""
