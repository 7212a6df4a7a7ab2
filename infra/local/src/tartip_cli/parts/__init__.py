"""Descriptions of the parts of the mesh (PostgreSQL, NATS, Triton and the services): the command
that starts each part, and the probe that finds out whether it is ready."""
