"""Ingestion of frames, videos, and streams that are watched only while a client's call lasts. Each
result is stored in one transaction."""
