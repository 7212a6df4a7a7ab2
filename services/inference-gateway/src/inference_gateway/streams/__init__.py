"""Permanently watched camera streams: which worker processes which stream (leases), what became of
each frame that was due, and which frames need inference (motion gate)."""
