"""The command `tartip`, which runs all of Tartip on one machine. Its services together with
PostgreSQL, NATS and Triton are called the mesh."""
