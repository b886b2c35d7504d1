"""What the runner says in STATUS, and the state shared by the agent's loops."""
