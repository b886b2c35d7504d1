"""The runner as a process: command line, signals, devices, exit codes."""
