"""Ingestion of frames, videos and ad-hoc streams: one transaction per result."""
