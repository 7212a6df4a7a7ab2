"""Permanently watched camera streams: leases that assign each stream to a worker, a record of what
became of each frame that was due, and a motion gate that decides which frames need inference."""
