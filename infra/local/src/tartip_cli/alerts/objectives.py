"""Reads `infra/otel/objectives.yaml`: the service objectives of the mesh and its alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A promise to callers: `percent` of what `all` counts is good.

    `all`, and either `bad` or `good`, are PromQL selectors of counters.
    """

    name: str
    promise: str
    percent: float
    all: str
    bad: str = ""
    good: str = ""

    def __post_init__(self) -> None:
        if bool(self.bad) == bool(self.good):
            raise ValueError(f"objective {self.name}: give either `bad` or `good`")
        if not 0 < self.percent < 100:
            raise ValueError(f"objective {self.name}: `percent` lies between 0 and 100")

    @property
    def budget(self) -> float:
        """The share of bad ones that the objective allows: 0.001 for 99.9 percent."""
        return round(1 - self.percent / 100, 6)

    def errors(self, window: str) -> str:
        """Return PromQL for the share of bad ones in a window such as "5m"; NaN without traffic."""
        whole = f"sum(rate({self.all}[{window}]))"
        if self.good:
            return f"1 - sum(rate({self.good}[{window}])) / {whole}"
        return f"(sum(rate({self.bad}[{window}])) or vector(0)) / {whole}"


@dataclass(frozen=True, kw_only=True)
class Burn:
    """An alert on the speed at which an error budget is used up.

    It fires while `rate` times the budget is exceeded over the window `long` and over `short`.
    """

    alert: str
    rate: float
    long: str
    short: str
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert on a cause; `summary` and the expression are templates of Prometheus.

    `wait` is how long the expression must hold. `limit` stands in the expression as {limit}.
    """

    name: str
    expression: str
    wait: str
    severity: Severity
    summary: str
    meaning: str
    do: str
    limit: float | None = None

    @property
    def promql(self) -> str:
        """The expression with its limit."""
        return self.expression.replace("{limit}", "" if self.limit is None else f"{self.limit:g}")


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Everything in the file. Objectives hold over `days` days."""

    days: int
    burns: tuple[Burn, ...]
    objectives: tuple[Objective, ...]
    alerts: tuple[Alert, ...]


def read_objectives(path: Path) -> Objectives:
    """Read the file. Raises ValueError where an entry is wrong or has an unknown key."""
    given = yaml.safe_load(path.read_text())
    try:
        return Objectives(
            days=given["days"],
            burns=tuple(Burn(**burn) for burn in given["burns"]),
            objectives=tuple(
                Objective(name=name, **values) for name, values in given["objectives"].items()
            ),
            alerts=tuple(_alert(name, values) for name, values in given["alerts"].items()),
        )
    except (KeyError, TypeError) as problem:
        raise ValueError(f"{path.name}: {problem}") from problem


def _alert(name: str, values: Mapping[str, Any]) -> Alert:
    renamed = {"expr": "expression", "for": "wait"}
    alert = Alert(name=name, **{renamed.get(key, key): value for key, value in values.items()})
    if ("{limit}" in alert.expression) != (alert.limit is not None):
        raise ValueError(f"alert {name}: `limit` and {{limit}} belong together")
    return alert
