"""`tartip ingest`: your own pictures, films and RTSP addresses through the running mesh."""

from tartip_cli.cli.ingest.command import register

__all__ = ["register"]
