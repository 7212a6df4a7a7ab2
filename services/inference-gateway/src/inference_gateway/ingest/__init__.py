"""Frames, videos and ad-hoc streams that are sent in: one result, one transaction."""
