"""Polygons, lines and schedules, and the tracks that enter, stay in or cross them."""
