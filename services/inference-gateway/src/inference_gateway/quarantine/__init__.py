"""Frames that may be an attack: refused by name; what they claimed is kept to be looked into."""
