"""What the machine and the container give: memory, CPUs, malloc."""
