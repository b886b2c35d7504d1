"""`videojob-agent fetch`: the init container that downloads the inputs."""
