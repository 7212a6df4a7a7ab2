"""Quarantine of frames that may be an attack: such a frame is refused, and its unverified data are
stored without the picture."""
