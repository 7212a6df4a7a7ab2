"""The metrics of the service; no plate, place or camera is ever a label."""

from chassis.telemetry import meter

frames_arrived = meter.create_counter("tartip.frames.arrived", unit="{frame}")
frames_looked_at = meter.create_counter("tartip.frames.looked_at", unit="{frame}")
frames_refused = meter.create_counter("tartip.frames.refused", unit="{frame}")
edge_frames = meter.create_counter("tartip.edge.frames", unit="{frame}")
frames_quarantined = meter.create_counter("tartip.frames.quarantined", unit="{frame}")
frames_dropped = meter.create_counter("tartip.frames.dropped", unit="{frame}")
# Golden probes, by function.
probes_answered = meter.create_counter("tartip.probes.answered", unit="{probe}")
probes_slowest = meter.create_gauge("tartip.probes.slowest", unit="s")
functions_degraded = meter.create_gauge("tartip.functions.degraded", unit="{function}")
plates_read = meter.create_counter("tartip.plates.read", unit="{plate}")
readings_unassigned = meter.create_counter("tartip.readings.unassigned", unit="{frame}")
looking_duration = meter.create_histogram("tartip.looking.duration", unit="ms")
# Stored evidence that was found damaged, and that is damaged now, by the kind of damage.
evidence_damage_found = meter.create_counter("tartip.evidence.damage_found", unit="{object}")
evidence_damaged = meter.create_gauge("tartip.evidence.damaged", unit="{object}")
evidence_checked = meter.create_counter("tartip.evidence.checked", unit="{object}")
evidence_check_behind = meter.create_gauge("tartip.evidence.check_behind", unit="s")
# The streams that this copy of the service watches.
streams_held = meter.create_gauge("tartip.streams.held", unit="{stream}")
streams_by_state = meter.create_gauge("tartip.streams.by_state", unit="{stream}")
streams_lost = meter.create_counter("tartip.streams.lost", unit="{stream}")
stream_frames = meter.create_counter("tartip.streams.frames", unit="{frame}")
stream_facts_lost = meter.create_counter("tartip.streams.facts_lost", unit="{fact}")
