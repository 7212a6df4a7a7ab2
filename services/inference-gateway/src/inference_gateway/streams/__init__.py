"""Permanently watched camera streams: which worker holds which stream (leases), the account of what
became of every due frame, and the choice of frames that need inference (motion gate)."""
