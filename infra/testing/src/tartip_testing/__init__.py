"""What tests on real parts stand on: engines, a whole mesh, one service, an RTSP server."""
