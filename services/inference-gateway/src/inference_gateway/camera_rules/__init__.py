"""Configured functions of cameras, and the engine that runs their rules."""
