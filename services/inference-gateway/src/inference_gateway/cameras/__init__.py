"""Cameras as this service knows them: copies of what the register holds."""
