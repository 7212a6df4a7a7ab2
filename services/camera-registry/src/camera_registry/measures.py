"""Metrics about the reports of hubs. No metric label names a camera or a place."""

from chassis.telemetry import meter

# Cameras in hubs' reports by what became of them (model.hubs.Outcome); of unreadable reports and of
# those lost for want of room the messages.
heartbeats = meter.create_counter("tartip.heartbeats")
# Hubs in service that were heard once and are silent now.
hubs_silent = meter.create_gauge("tartip.hubs.silent")
# 1 while a hub's silence proves nothing, because its report may have been missed.
heartbeats_deaf = meter.create_gauge("tartip.heartbeats.deaf")
