"""The documents VideoJob exchanges with the world: resource, config.json, STATUS, manifest, report, plan. No I/O."""
