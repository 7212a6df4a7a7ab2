"""Fixtures for tests on real parts: engines, a whole mesh, one service, an RTSP server."""
