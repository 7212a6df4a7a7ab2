"""Quarantine of frames that may be an attack: they are refused, and what they state is stored."""
