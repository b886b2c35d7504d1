"""The runner: keeps the IO contract and runs the engines."""
