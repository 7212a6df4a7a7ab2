"""Receives and stores the spans of the mesh; finds and draws the spans of one case (its story)."""
