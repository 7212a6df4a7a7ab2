"""Quarantine of frames that may be an attack: they are refused, and their claims are stored."""
