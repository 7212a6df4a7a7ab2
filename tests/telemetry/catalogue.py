"""The catalogue of metrics, `infra/otel/metrics.yaml`, as its tests read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "infra" / "otel" / "metrics.yaml"
WITH_DATABASE = ("camera-registry", "inference-gateway", "violations", "fines", "citizen-reports")


@dataclass(frozen=True, kw_only=True)
class Entry:
    name: str
    prometheus: str
    type: str
    unit: str
    labels: tuple[str, ...]
    by: tuple[str, ...]
    always: bool
    meaning: str


def catalogue() -> dict[str, Entry]:
    described = yaml.safe_load(CATALOGUE.read_text())["metrics"]
    return {name: _entry(name, **values) for name, values in described.items()}


def _entry(name: str, *, by: str | list[str], always: bool = True, **values: object) -> Entry:
    emitters = WITH_DATABASE if by == "services" else tuple(by)
    labels = values.pop("labels")
    assert isinstance(labels, list)
    return Entry(name=name, by=emitters, always=always, labels=tuple(labels), **values)  # type: ignore[arg-type]
