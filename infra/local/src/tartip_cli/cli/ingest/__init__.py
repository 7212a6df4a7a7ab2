"""`tartip ingest`: has the running mesh analyse your own pictures, films and RTSP streams."""

from tartip_cli.cli.ingest.command import register

__all__ = ["register"]
