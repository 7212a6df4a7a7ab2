"""Each threat in `docs/threats.md` names tests that exist."""

import ast
import re

from .test_house import ROOT

ROW = re.compile(r"^\| (?!threat \||---)(.+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([^`]+\.py)::(\w+)`")


def test_every_threat_is_held_by_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs" / "threats.md").read_text("utf-8"))
    assert len(rows) > 40
    missing = []
    for threat, held_by in rows:
        tests = TEST.findall(held_by)
        wrong = [f"{path}::{name}" for path, name in tests if name not in _functions(path)]
        if wrong or not tests:
            missing.append((threat, wrong))
    assert not missing, f"name a test that shows it: {missing}"


def _functions(path: str) -> set[str]:
    """The names of the functions in a file; none if it does not exist."""
    file = ROOT / path
    if not file.exists():
        return set()
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {
        node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, kinds)
    }
