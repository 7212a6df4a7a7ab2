"""Runs all of Tartip on one machine with the command `tartip`: its services, PostgreSQL, NATS and
Triton, called the mesh."""
