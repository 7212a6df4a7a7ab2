"""Runs the parts: children, their health, their end; one supervisor for a data folder."""
