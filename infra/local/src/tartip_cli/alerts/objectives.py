"""Reads the mesh's objectives and alerts from `infra/otel/objectives.yaml`. An objective promises
that a certain share of some events, such as calls, is good. The rest is its error budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A promise to callers: `percent` percent of some events, such as calls, are good.

    The fields `all`, `bad` and `good` are PromQL selectors of counters: of all events, of bad
    events and of good events. Only one of `bad` and `good` is set.
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
        """The error budget: the share of bad events that the objective allows. It is 0.001 for 99.9
        percent."""
        return round(1 - self.percent / 100, 6)

    def errors(self, window: str) -> str:
        """Return PromQL for the share of bad events in a window such as "5m". Its value is NaN if
        there were no events."""
        whole = f"sum(rate({self.all}[{window}]))"
        if self.good:
            return f"1 - sum(rate({self.good}[{window}])) / {whole}"
        return f"(sum(rate({self.bad}[{window}])) or vector(0)) / {whole}"


@dataclass(frozen=True, kw_only=True)
class Burn:
    """An alert on error budgets that are used up too fast. It fires while the share of bad events
    is more than `rate` times the budget, in both of two windows that end now. The field `long` is
    the longer window, such as "1h"; the field `short` is the shorter one, such as "5m"."""

    alert: str
    rate: float
    long: str
    short: str
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert on the cause of a problem. It fires once the PromQL `expression` has been true for
    the time `wait`, such as "2m". In the expression, {limit} stands for the number in the field
    `limit`.

    The texts `summary` and `meaning` tell people what the alert says; the text `do` says what to
    do. In the summary, Prometheus replaces {{ $labels.NAME }} by the value of that label.
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
        """The expression with {limit} replaced by the limit."""
        return self.expression.replace("{limit}", "" if self.limit is None else f"{self.limit:g}")


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """The content of `objectives.yaml`. The field `days` is the period of the error budgets, in
    days."""

    days: int
    burns: tuple[Burn, ...]
    objectives: tuple[Objective, ...]
    alerts: tuple[Alert, ...]


def read_objectives(path: Path) -> Objectives:
    """Read the objectives and alerts from the file `path`. Raises ValueError if an entry is invalid
    or incomplete, or has an unknown key."""
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
