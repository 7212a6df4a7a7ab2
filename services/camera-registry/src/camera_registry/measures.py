"""Metrics of heartbeats. No label ever names a camera or a place."""

from chassis.telemetry import meter

# By outcome: heard; ahead or behind (wrongly dated); unreadable; lost for want of room.
heartbeats = meter.create_counter("tartip.heartbeats")
# 1 while silence proves nothing, because heartbeats may have been missed in the last interval.
heartbeats_deaf = meter.create_gauge("tartip.heartbeats.deaf")
