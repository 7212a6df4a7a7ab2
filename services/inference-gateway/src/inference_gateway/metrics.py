"""The metrics of the service; no plate, place or camera is ever a label."""

from chassis.telemetry import meter

frames_arrived = meter.create_counter("tartip.frames.arrived")
frames_looked_at = meter.create_counter("tartip.frames.looked_at")
frames_refused = meter.create_counter("tartip.frames.refused")
edge_frames = meter.create_counter("tartip.edge.frames")
frames_quarantined = meter.create_counter("tartip.frames.quarantined")
frames_dropped = meter.create_counter("tartip.frames.dropped")
# Golden probes, by function.
probes_answered = meter.create_counter("tartip.probes.answered")
probes_slowest = meter.create_gauge("tartip.probes.slowest", unit="s")
functions_degraded = meter.create_gauge("tartip.functions.degraded")
plates_read = meter.create_counter("tartip.plates.read")
readings_unassigned = meter.create_counter("tartip.readings.unassigned")
looking_duration = meter.create_histogram("tartip.looking.duration", unit="ms")
# Stored evidence that was found damaged, and that is damaged now, by the kind of damage.
evidence_damage_found = meter.create_counter("tartip.evidence.damage_found")
evidence_damaged = meter.create_gauge("tartip.evidence.damaged")
evidence_checked = meter.create_counter("tartip.evidence.checked")
evidence_check_behind = meter.create_gauge("tartip.evidence.check_behind", unit="s")
# The streams that this copy of the service watches.
streams_held = meter.create_gauge("tartip.streams.held")
streams_by_state = meter.create_gauge("tartip.streams.by_state")
streams_lost = meter.create_counter("tartip.streams.lost")
stream_frames = meter.create_counter("tartip.streams.frames")
stream_facts_lost = meter.create_counter("tartip.streams.facts_lost")
