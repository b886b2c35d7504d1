"""Losses that several engines share."""
