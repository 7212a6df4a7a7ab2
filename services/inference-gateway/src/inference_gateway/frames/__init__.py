"""Frames and their results, shared by all contexts."""
