"""The metrics of this service; the catalogue `infra/otel/metrics.yaml` explains each of them."""

from chassis.telemetry import meter

webhooks_failing = meter.create_gauge("tartip.webhooks.failing", unit="{partner}")
