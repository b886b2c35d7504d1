"""One question each: accepted, started in time, suspended, completed."""
