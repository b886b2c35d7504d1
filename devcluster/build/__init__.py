"""Building Go programs, Debian packages and images."""
