"""Polygons, lines and schedules, and who enters, stays in or crosses them."""
