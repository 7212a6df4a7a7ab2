"""Test fixtures that run PostgreSQL and NATS, a whole mesh, one service or an RTSP server."""
