"""Spans of the mesh: receiving, storing, finding those of a story, drawing them."""
