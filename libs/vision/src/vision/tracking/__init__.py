"""Tracks boxes over the frames of one camera, and moves them along between model runs."""
