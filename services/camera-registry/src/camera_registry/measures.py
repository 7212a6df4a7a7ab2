"""What is counted of heartbeats; no camera and no place is ever a label."""

from chassis.telemetry import meter

# By outcome: heard; ahead or behind of what its date may be; unreadable; lost for want of room.
heartbeats = meter.create_counter("tartip.heartbeats")
# 1 while a silence proves nothing because something may have been missed in the last interval.
heartbeats_deaf = meter.create_gauge("tartip.heartbeats.deaf")
