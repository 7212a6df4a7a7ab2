"""Runs Tartip embedded on one machine: real components, started by one command (`tartip`)."""
