"""Frames and their results: what every context shares of them."""
