"""Spans of the mesh: received, stored, found again as one story, drawn."""
