"""The door for agents: tokens, limits, progress slots, server."""
