"""The law stands once, in `libs/law`: no service holds a term, a bracket or a holiday of its own.

Looked for in every node of the sources of each service that decides by law:
- terms: a length that the law's tables hold, where it is given to `timedelta`, to a keyword or a
  name in days, weeks or months, or to a calendar that counts; half of an amount;
- brackets: a speed or the age of a light compared with a number, the number or the code of an
  article;
- calendars: a date written out, a weekday asked for, a package of holidays;
- the zone: an offset or a name of Almaty's, zone tables of the host;
- plates and identity numbers: a table of look-alikes, the digits of a region, the weights of a
  check digit;
- tables: a file of data with what the law's tables hold.

An exception is one line, in place: `# tidy: <reason>`, as of a bound that is not the law's.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from .test_house import ROOT, Source, called, docstrings, findings

LAWFUL = ("fines", "violations", "citizen-reports")
SOURCES = [source for name in LAWFUL for source in (ROOT / "services" / name / "src").iterdir()]
LENGTH = re.compile(r"(^|_)(day|week|month)s?(_|$)", re.IGNORECASE)
COUNTED = re.compile(r"(^|\.)(after|months_after)$")
AMOUNT = re.compile(r"minor|amount")
MEASURED = re.compile(r"over|excess|kmh|speed|grace|signal_age", re.IGNORECASE)
ARTICLE = re.compile(r"\d{3}(-\d)?\(\d(-\d)?\)")
REGION = re.compile(r"0\[1-9\]\|1(\\d|\[0-9\])\|20")
ZONE_CALLS = re.compile(r"(^|\.)(ZoneInfo|gettz)$|^((dt|datetime)\.)?timezone$")
FOREIGN_CALENDARS = {"zoneinfo", "pytz", "dateutil", "tzdata", "holidays"}
WEIGHTS = [3, 4, 5, 6, 7, 8, 9, 10, 11]


def of_the_law(*names: str) -> Iterator[Any]:
    """Every value that the tables of the law hold under one of these names, at any depth."""
    for entry in (resources.files("law") / "tables").iterdir():
        yield from _values(json.loads(entry.read_bytes()), names)


def _values(table: Any, names: tuple[str, ...]) -> Iterator[Any]:
    rows = table.items() if isinstance(table, dict) else enumerate(table)
    for name, value in rows:
        if name in names:
            yield value
        if isinstance(value, dict | list):
            yield from _values(value, names)


LENGTHS = {
    value
    for value in of_the_law("days", "calendar_days", "working_days", "months", "dispute_days")
    if isinstance(value, int)
}
CODES = {row["code"] for articles in of_the_law("articles") for row in articles}
TABLES = {"articles", "authorities", "days_off", "holidays", "rules", "terms", "values"}


def holds_a_term(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return _is_length(node.value) and any(LENGTH.search(ast.unparse(one)) for one in targets)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Div | ast.Mult):
        halves = isinstance(node.right, ast.Constant) and node.right.value in (2, 0.5, 50)
        return halves and bool(AMOUNT.search(ast.unparse(node.left)))
    if not isinstance(node, ast.Call):
        return False
    by_name = any(_is_length(one.value) and LENGTH.search(one.arg or "") for one in node.keywords)
    counted = called(node).endswith("timedelta") or COUNTED.search(called(node))
    return by_name or (bool(counted) and any(map(_is_length, node.args)))


def holds_a_bracket(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        bounds = [one.value for one in sides if isinstance(one, ast.Constant)]
        is_bound = any(isinstance(value, int | float) and value > 0 for value in bounds)
        return is_bound and any(MEASURED.search(ast.unparse(one)) for one in sides)
    text = _text(source, node)
    return text in CODES or bool(ARTICLE.search(text))


def holds_a_calendar(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and re.search(r"(^|\.)(date|datetime)$", called(node)):
        return len(node.args) >= 3 and all(isinstance(one, ast.Constant) for one in node.args)
    return bool(re.search(r"\.(iso)?weekday$", called(node))) or _imports(node, FOREIGN_CALENDARS)


def holds_a_zone(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        hours = [one.value for one in node.keywords if one.arg == "hours"]
        offset = any(isinstance(one, ast.Constant) and one.value in (5, 6) for one in hours)
        return offset or bool(ZONE_CALLS.search(called(node)))
    return _text(source, node).startswith("Asia/")


def holds_a_grammar(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        written = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        return written[: len(WEIGHTS)] == WEIGHTS
    return called(node).endswith(".maketrans") or bool(REGION.search(_text(source, node)))


def _is_length(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value in LENGTHS


def _text(source: Source, node: ast.AST) -> str:
    """Of a string that is no docstring."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return ""
    return "" if id(node) in docstrings(source.tree) else node.value


def _imports(node: ast.AST, packages: set[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in packages
    return isinstance(node, ast.Import) and any(
        one.name.partition(".")[0] in packages for one in node.names
    )


RULES = (holds_a_term, holds_a_bracket, holds_a_calendar, holds_a_zone, holds_a_grammar)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("x = timedelta(days=7)", holds_a_term),
        ("x = dt.timedelta(15)", holds_a_term),
        ("SENT_WITHIN_DAYS = 10", holds_a_term),
        ("LIMITATION_MONTHS: int = 2", holds_a_term),
        ("x = calendar.after(day, 30)", holds_a_term),
        ("x = months_after(day, 2)", holds_a_term),
        ("x = count(working_days=20)", holds_a_term),
        ("x = full_minor // 2", holds_a_term),
        ("x = amount * 50 // 100", holds_a_term),
        ("x = timedelta(days=1)", None),
        ("x = timedelta(minutes=10)", None),
        ("PAGE = 10", None),
        ("x = over_kmh <= 20", holds_a_bracket),
        ("x = 0.5 < measured.signal_age_seconds", holds_a_bracket),
        ("x = '592(3-1)'", holds_a_bracket),
        ("x = {'SPEED_10_20': 5}", holds_a_bracket),
        ("x = excess_kmh > bound", None),
        ("'''Art. 592(1).'''", None),
        ("x = date(2026, 3, 8)", holds_a_calendar),
        ("x = day.weekday() < 5", holds_a_calendar),
        ("import holidays", holds_a_calendar),
        ("from zoneinfo import ZoneInfo", holds_a_calendar),
        ("x = date(year, 1, 1)", None),
        ("x = ZoneInfo(name)", holds_a_zone),
        ("x = timezone(offset)", holds_a_zone),
        ("x = at + timedelta(hours=5)", holds_a_zone),
        ("x = 'Asia/Almaty'", holds_a_zone),
        ("x = func.timezone('UTC', at)", None),
        ("x = str.maketrans('А', 'A')", holds_a_grammar),
        (r"x = r'\d{3}(0[1-9]|1\d|20)'", holds_a_grammar),
        ("x = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)", holds_a_grammar),
    ],
)
def test_the_rules_of_the_law_find_what_they_should(
    line: str, rule: Callable[[Source, ast.AST], bool] | None
) -> None:
    source = Source(ROOT, ast.parse(line), [line])
    found = {check for check in RULES if any(check(source, node) for node in ast.walk(source.tree))}
    assert found == ({rule} if rule else set())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_service_holds_law_of_its_own(rule: Callable[[Source, ast.AST], bool]) -> None:
    """Reason: what stands twice differs one day, and then somebody is fined by the wrong one."""
    assert findings(rule, *SOURCES) == []


def test_no_service_ships_a_table_of_the_law() -> None:
    """Reason: a table beside a service is read by that service alone (ADR 8)."""
    assert list(_tables_of_law(SOURCES)) == []


def test_the_rule_of_tables_finds_the_laws_own() -> None:
    found = {path.name for path in _tables_of_law([ROOT / "libs" / "law" / "src"])}
    assert {"articles-2024-12-04.json", "calendar-2026.json", "base_values.json"} <= found
    assert {"fine-terms-2015-01-01.json", "report-deadlines-2026-03-12.json"} <= found


def _tables_of_law(roots: list[Path]) -> Iterator[Path]:
    for path in (path for root in roots for path in sorted(root.rglob("*.json"))):
        table = json.loads(path.read_bytes())
        if isinstance(table, dict) and TABLES & table.keys():
            yield path
