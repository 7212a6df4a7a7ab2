"""Faces: detection, image quality, templates and the distance between two templates."""
