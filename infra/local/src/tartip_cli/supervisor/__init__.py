"""Runs the parts of the mesh: one supervisor per data folder."""
