"""The catalogue of metrics names all that the code makes and nothing else, with type and unit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .catalogue import ROOT, Entry, catalogue

TYPES = {
    "create_counter": "counter",
    "create_gauge": "gauge",
    "create_observable_gauge": "gauge",
    "create_histogram": "histogram",
    "_gauge": "gauge",  # of the supervisor
}
SUFFIXES = {"s": "_seconds", "ms": "_milliseconds", "d": "_days", "By": "_bytes"}


def made() -> Iterator[tuple[str, str, str]]:
    """Name, type and unit of each instrument that the sources make."""
    for pattern in ("libs/*/src", "services/*/src", "infra/local/src"):
        for folder in ROOT.glob(pattern):
            for path in folder.rglob("*.py"):
                yield from made_in(path.read_text())


def made_in(source: str) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind, first = TYPES.get(node.func.attr), node.args[0] if node.args else None
        if kind is None or not isinstance(first, ast.Constant):
            continue
        units = [word.value for word in node.keywords if word.arg == "unit"] or node.args[1:2]
        unit = units[0].value if units and isinstance(units[0], ast.Constant) else ""
        yield str(first.value), kind, str(unit)


def test_the_catalogue_names_exactly_the_metrics_that_the_code_makes() -> None:
    known, instruments = catalogue(), set(made())
    assert {name for name, _, _ in instruments} == set(known)
    for name, kind, unit in instruments:
        assert (kind, unit) == (known[name].type, known[name].unit), name


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.name)
def test_an_entry_has_the_name_that_prometheus_gives_it(entry: Entry) -> None:
    name = re.sub("[^a-zA-Z0-9]+", "_", entry.name) + SUFFIXES.get(entry.unit, "")
    assert entry.prometheus == name + ("_total" if entry.type == "counter" else "")
    assert entry.unit in SUFFIXES or re.fullmatch(r"\{[a-z]+\}", entry.unit)
    assert entry.meaning.strip().endswith(".")
