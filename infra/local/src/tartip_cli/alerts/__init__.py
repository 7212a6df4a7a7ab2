"""Alert rules, dashboards and their handbook, made from `infra/otel/objectives.yaml`."""
