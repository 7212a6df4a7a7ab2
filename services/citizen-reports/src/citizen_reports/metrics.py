"""The metrics of this service; the catalogue `infra/otel/metrics.yaml` explains each of them."""

from chassis.telemetry import meter

webhooks_failing = meter.create_gauge("tartip.webhooks.failing", unit="{partner}")
# Parts of ended reports, by class and part: erased, and due but not erased (nor held).
retention_erased = meter.create_counter("tartip.retention.erased", unit="{part}")
retention_overdue = meter.create_gauge("tartip.retention.overdue", unit="{part}")
