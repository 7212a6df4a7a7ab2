"""Spans of the mesh: receives and stores them, finds those of one case (its story), draws them."""
