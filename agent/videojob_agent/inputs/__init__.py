"""`videojob-agent fetch`: the init container that brings the inputs."""
