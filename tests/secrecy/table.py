"""The table of who may see what, docs/who-sees-what.yaml, and the page for people made from it.

make who-sees-what
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs" / "who-sees-what.yaml"
PAGE = ROOT / "docs" / "who-sees-what.md"
COMPLAINTS = "complaints"


@dataclass(frozen=True)
class Surface:
    """A way to ask: who may use it, and which parts its answers can show. `passes_on` is the RPC
    that a REST route calls."""

    name: str
    asks: frozenset[str]
    shows: frozenset[str]
    why: str
    passes_on: str = ""


@dataclass(frozen=True)
class Table:
    parts: Mapping[str, str]
    classes: Mapping[str, Mapping[str, Any]]
    reports: Mapping[str, Mapping[str, Any]]
    complaints: Mapping[str, Mapping[str, Any]]
    others: Mapping[str, Mapping[str, Any]]
    rpcs: Mapping[str, Surface]
    routes: Mapping[str, Surface]
    elsewhere: Mapping[str, Surface]

    def class_of(self, kind: str) -> str:
        """Return the class of a kind of report, such as "road_accident"."""
        [found] = [name for name, row in self.classes.items() if kind in row["kinds"]]
        return found

    def parts_seen(self, role: str, kind: str, standing: str, stage: str) -> frozenset[str]:
        """Return the parts that a role gives in a report of this kind in the caller's own region.

        `standing` is a row of `complaints`, `stage` is "before" or "after" it is settled whom a
        complaint is about; both matter for complaints alone.
        """
        seen = set(self.reports[role].get(self.class_of(kind), ()))
        if COMPLAINTS in seen:
            seen = set(self.complaints[standing][stage])
        return frozenset(seen)


def read_table(path: Path = SOURCE) -> Table:
    found = yaml.safe_load(path.read_text())
    rpcs = {
        f"{service}/{method}": _surface(f"{service}/{method}", row)
        for service, methods in found["rpcs"].items()
        for method, row in methods.items()
    }
    elsewhere = {name: _surface(name, row) for name, row in found["elsewhere"].items()}
    routes = {}
    for name, row in found["routes"].items():
        behind = rpcs[row["rpc"]] if "rpc" in row else elsewhere.get(row.get("see", ""))
        if behind is None:
            routes[name] = _surface(name, row)
        else:
            rpc = row.get("rpc", "")
            routes[name] = Surface(name, behind.asks, behind.shows, behind.why, rpc)
    kept = ("parts", "classes", "reports", "complaints", "others")
    return Table(
        **{name: found[name] for name in kept}, rpcs=rpcs, routes=routes, elsewhere=elsewhere
    )


def _surface(name: str, row: Mapping[str, Any]) -> Surface:
    asks, shows = frozenset(row.get("asks", ())), frozenset(row.get("shows", ()))
    return Surface(name, asks, shows, row["why"])


def page(table: Table) -> str:
    """Return the table as a page of Markdown."""
    return "\n".join(
        [
            "# Who sees what",
            "",
            "<!-- Made from who-sees-what.yaml by `make who-sees-what`; edit that file. -->",
            "",
            _INTRODUCTION,
            "",
            *_section("Parts", ("part", "what it is"), table.parts.items()),
            *_section(
                "Classes",
                ("class", "kinds of reports", "why"),
                ((name, _words(row["kinds"]), row["why"]) for name, row in table.classes.items()),
            ),
            *_section(
                "Reports of the caller's own regions",
                ("who", *table.classes, "why"),
                (
                    (
                        _words([who]),
                        *(_words(row.get(name, ())) for name in table.classes),
                        row["why"],
                    )
                    for who, row in table.reports.items()
                ),
            ),
            *_section(
                "Complaints: internal security, by where the caller serves",
                ("who", "before it is settled whom it is about", "after", "why"),
                (
                    (row["who"], _words(row["before"]), _words(row["after"]), row["why"])
                    for row in table.complaints.values()
                ),
            ),
            *_section(
                "What is no report",
                ("part", "roles, in their own regions", "why"),
                ((name, _words(row["roles"]), row["why"]) for name, row in table.others.items()),
            ),
            *_calls(table),
            *_section(
                "REST",
                ("route", "the RPC that it passes on, or what it answers"),
                (
                    (f"`{name}`", f"`{row.passes_on}`" if row.passes_on else row.why)
                    for name, row in table.routes.items()
                ),
            ),
            *_section(
                "Elsewhere",
                ("where", "can show", "why"),
                ((name, _words(row.shows), row.why) for name, row in table.elsewhere.items()),
            ),
        ]
    )


_INTRODUCTION = """\
An operator sees a part of a report in an answer where three things meet: one of his roles may make
the call, the answer can show the part, and one of his roles has the part in the report's class and
region. Roles add up, and what follows from none of them is hidden. The data are in
[who-sees-what.yaml](who-sees-what.yaml); `tests/secrecy` holds them against the contracts, the
gateway's OpenAPI and a running mesh with planted names, phones, numbers and pictures."""


def _calls(table: Table) -> list[str]:
    by_service: dict[str, list[Sequence[str]]] = {}
    for name, row in table.rpcs.items():
        service, _, method = name.partition("/")
        line = (f"`{method}`", _words(sorted(row.asks)), _words(sorted(row.shows)), row.why)
        by_service.setdefault(service, []).append(line)
    lines = ["## Calls", ""]
    for service, rows in by_service.items():
        lines += [f"### {service}", "", *_rows(("call", "who", "can show", "why"), rows)]
    return lines


def _section(title: str, head: Sequence[str], rows: Any) -> list[str]:
    return [f"## {title}", "", *_rows(head, rows)]


def _rows(head: Sequence[str], rows: Any) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _words(names: Any) -> str:
    return ", ".join(name.replace("_", " ") for name in names) or "–"


if __name__ == "__main__":
    PAGE.write_text(page(read_table()))
