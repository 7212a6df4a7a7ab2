"""Ingestion of frames, videos and ad-hoc streams. Each result is stored in one transaction."""
