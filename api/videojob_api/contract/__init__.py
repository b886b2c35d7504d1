"""The files between runner and world: config.json, STATUS, checkpoints, manifest, exit codes."""
