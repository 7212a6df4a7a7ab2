"""Makes Grafana's dashboards, in Grafana's JSON model, from descriptions of their panels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from tartip_cli.alerts.objectives import Objectives

Kind = Literal["graph", "stat"]
_COLUMNS: Final = 24
_HEIGHTS: Final = {"graph": 8, "stat": 6}
_KINDS: Final = {"graph": "timeseries", "stat": "stat"}
_SCHEMA_VERSION: Final = 39
_SOURCES: Final = {
    "name": "source",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
}
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, kw_only=True)
class Query:
    """A PromQL expression to draw. The field `legend` is the name of each drawn series. In the
    legend, {{label}} stands for the value of that label."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of a dashboard that draws the results of some queries. The field `unit` is Grafana's
    name for the unit of the values. The field `width` is a number of columns; a dashboard has
    24."""

    title: str
    kind: Kind
    unit: str
    width: int
    queries: Sequence[Query]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard. The field `name` is the name of its JSON file without ".json". Its uid in
    Grafana is "tartip-" followed by this name."""

    name: str
    title: str
    panels: Sequence[Panel]


def boards(objectives: Objectives, described: Path) -> list[Board]:
    """Return all dashboards: one that shows the objectives, and those that the YAML file
    `described` describes."""
    return [_promises(objectives), *_read(described)]


def grafana(board: Board) -> dict[str, Any]:
    """Return a dashboard in Grafana's JSON model."""
    return {
        "uid": f"tartip-{board.name}",
        "title": board.title,
        "tags": ["tartip"],
        "schemaVersion": _SCHEMA_VERSION,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_SOURCES]},
        "links": [
            {"title": "Tartip", "type": "dashboards", "tags": ["tartip"], "asDropdown": True}
        ],
        "panels": list(_placed(board.panels)),
    }


def _promises(objectives: Objectives) -> Board:
    month, fast = f"{objectives.days}d", objectives.burns[0]
    of_budget, by_name = "/ on (objective) tartip:objective:budget", "{{objective}}"
    firing = 'sum by (alertname, severity) (ALERTS{alertname=~"Tartip.*", alertstate="firing"})'
    panels = [
        _panel(
            "Alerts that fire",
            firing,
            "{{alertname}} {{severity}}",
            kind="stat",
        ),
        _panel(
            f"Error budget left of {objectives.days} days",
            f"1 - tartip:errors:ratio_rate{month} {of_budget}",
            by_name,
            kind="stat",
            unit="percentunit",
        ),
        _panel(
            f"How many times as fast as it may be the budget is used up, over {fast.long}",
            f"tartip:errors:ratio_rate{fast.long} {of_budget}",
            by_name,
        ),
    ]
    for one in objectives.objectives:
        ratio = f'tartip:errors:ratio_rate{fast.short}{{objective="{one.name}"}}'
        title = f"{one.promise} ({one.percent:g} %)"
        panels.append(_panel(title, ratio, "not good", unit="percentunit", width=12))
    return Board(name="promises", title="Tartip: promises and alerts", panels=panels)


def _panel(
    title: str,
    expr: str,
    legend: str,
    *,
    kind: Kind = "graph",
    unit: str = "short",
    width: int = _COLUMNS,
) -> Panel:
    queries = [Query(expr=expr, legend=legend)]
    return Panel(title=title, kind=kind, unit=unit, width=width, queries=queries)


def _read(described: Path) -> Iterable[Board]:
    for name, board in yaml.safe_load(described.read_text()).items():
        panels = [_described(panel) for panel in board["panels"]]
        yield Board(name=name, title=board["title"], panels=panels)


def _described(panel: Mapping[str, Any]) -> Panel:
    queries = [Query(**query) for query in panel["queries"]]
    return Panel(**{**panel, "queries": queries})


def _placed(panels: Iterable[Panel]) -> Iterable[dict[str, Any]]:
    """Yield panels from left to right, in rows as high as the highest of them."""
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > _COLUMNS:
            x, y, height = 0, y + height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHTS[panel.kind]}
        x, height = x + panel.width, max(height, _HEIGHTS[panel.kind])
        yield {
            "id": number,
            "title": panel.title,
            "type": _KINDS[panel.kind],
            "datasource": _SOURCE,
            "gridPos": place,
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": _SOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend,
                }
                for index, query in enumerate(panel.queries)
            ],
        }
