"""What operator and agent send each other: the plan of a job and reports of its progress."""
