"""Prompts: the grammar, the original's grammar, tracks of phrases over time."""
