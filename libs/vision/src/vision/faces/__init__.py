"""Faces: detection, image quality, templates (embeddings), and the distance of two templates."""
