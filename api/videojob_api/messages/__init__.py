"""Messages between operator and agent: the plan of a job and reports of its progress."""
