"""Zones, lines and schedules, and the detection of tracks that enter, stay in or cross them."""
