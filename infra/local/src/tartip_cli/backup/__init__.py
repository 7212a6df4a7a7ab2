"""Backups of a mesh: one encrypted file with everything that a new data folder needs."""
