"""The parts of the mesh, each described by its command and its readiness probe."""
