"""The telemetry of a process (spans, metrics and logs) and its export."""
