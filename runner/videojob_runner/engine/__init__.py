"""The seam between the runner and its engines. Imports no torch."""
