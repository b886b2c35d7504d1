"""The runner's STATUS, and the state that the agent's threads share."""
