"""What is counted and timed; no plate, place or camera is ever a label."""

from chassis.telemetry import meter

frames_arrived = meter.create_counter("tartip.frames.arrived")
frames_looked_at = meter.create_counter("tartip.frames.looked_at")
frames_refused = meter.create_counter("tartip.frames.refused")
edge_frames = meter.create_counter("tartip.edge.frames")
frames_quarantined = meter.create_counter("tartip.frames.quarantined")
frames_dropped = meter.create_counter("tartip.frames.dropped")
plates_read = meter.create_counter("tartip.plates.read")
readings_unassigned = meter.create_counter("tartip.readings.unassigned")
looking_duration = meter.create_histogram("tartip.looking.duration", unit="ms")
