"""Makes alert rules, dashboards and the handbook of alerts from files in `infra/otel`."""
