"""The command line: the same manifest on a laptop."""
