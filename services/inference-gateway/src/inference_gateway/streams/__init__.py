"""Permanently watched camera streams: leases, the account of frames, the motion gate."""
