"""One clock, moved as a whole: nothing asks the host or the database for the time behind its back.

What must go by the host's own clock says so: `real_clock`, or `# tidy: <reason>` on its line.
"""

import ast
import re
from pathlib import Path

import pytest

from .test_house import PLUMBING, ROOT, SERVICES, Source, called, docstrings, findings

CLOCK = PLUMBING[0] / "clock.py"
LAW = ROOT / "libs" / "law" / "src"
COMMAND_LINE = [ROOT / "infra" / name / "src" for name in ("bench", "local", "testing")]
MIGRATIONS = sorted((ROOT / "services").glob("*/migrations"))
LAWFUL = ("fines", "violations", "citizen-reports")
MESH_TESTS = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "tidy"]
# Made defaults by the database's own clock, which `install_v2` replaced since.
SUPERSEDED = {"0001_frames_and_evidence.py"}
SQL_NOW = re.compile(
    r"\b(now|(clock|statement|transaction)_timestamp|timeofday)\s*\(\s*\)"
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
SQL_FUNCTIONS = re.compile(
    r"func\.(now|clock_timestamp|statement_timestamp|transaction_timestamp|current_timestamp"
    r"|current_date|current_time|localtimestamp|localtime|sysdate)$"
)
HOST_NOW = re.compile(
    r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns)"
    r"|uuid[167]|uuid6\.uuid\d)$"
)


def asks_the_database(source: Source, node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(SQL_NOW.search(node.value)) and id(node) not in docstrings(source.tree)
    return isinstance(node, ast.Attribute) and bool(SQL_FUNCTIONS.search(ast.unparse(node)))


def asks_the_host(source: Source, node: ast.AST) -> bool:
    return source.path != CLOCK and bool(HOST_NOW.search(called(node)))


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ("x = 'SELECT now()'", True),
        ("x = text('age > CURRENT_TIMESTAMP')", True),
        ("x = func.clock_timestamp()", True),
        ("x = f'{t} < clock_timestamp( )'", True),
        ("x = 'SELECT service_now()'", False),
        ("x = 'it is known()'", False),
    ],
)
def test_the_rule_of_sql_finds_what_it_should(line: str, is_wrong: bool) -> None:
    source = Source(ROOT, ast.parse(line), [line])
    assert any(asks_the_database(source, node) for node in ast.walk(source.tree)) is is_wrong


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ("x = datetime.now(UTC)", True),
        ("x = dt.datetime.now(dt.UTC)", True),
        ("x = date.today()", True),
        ("x = time.time()", True),
        ("x = uuid6.uuid7()", True),
        ("x = time.monotonic()", False),
        ("x = self._db.now()", False),
    ],
)
def test_the_rule_of_code_finds_what_it_should(line: str, is_wrong: bool) -> None:
    source = Source(ROOT, ast.parse(line), [line])
    assert any(asks_the_host(source, node) for node in ast.walk(source.tree)) is is_wrong


def test_sql_asks_for_the_time_by_service_now_alone() -> None:
    """Reason: a moment of the database's own clock is of another year than all others."""
    roots = (*SERVICES, *PLUMBING, *COMMAND_LINE, *MIGRATIONS)
    found = [
        place
        for place in findings(asks_the_database, *roots)
        if Path(place.partition(":")[0]).name not in SUPERSEDED
    ]
    assert found == []


def test_code_asks_the_chassis_for_the_time() -> None:
    """Reason: all live in `system_clock`; `real_clock` says who must not."""
    assert findings(asks_the_host, *SERVICES, *PLUMBING, LAW, *COMMAND_LINE) == []


def test_tests_on_real_parts_live_in_the_time_of_the_services() -> None:
    """Reason: they run in other years (TARTIP_CLOCK_OFFSET), where "now" is not the host's."""
    lawful = [ROOT / "services" / name / "tests" / "component" for name in LAWFUL]
    assert findings(asks_the_host, *lawful, *MESH_TESTS) == []
