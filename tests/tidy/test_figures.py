"""The house keeps its proportions: bounds past which one looks again, and medians that do not grow.

What is past a bound today stands in `docs/figures.toml`, by name and with its figure. That list may
only shrink: a figure in it may not grow, and what is within its bound again is taken out. What ruff
can hold (complexity, parameters, branches, nesting) stands in `pyproject.toml` alone.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from .figures import (
    File,
    areas,
    circles,
    documented,
    files,
    formatter_off,
    functions_of,
    medians,
    needs_docstrings,
)
from .test_house import ROOT

RECORDED = tomllib.loads((ROOT / "docs" / "figures.toml").read_text())
EXCEPTIONS = RECORDED["exceptions"]
RUFF = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
PROPORTIONS = ("C901", "PLR0912", "PLR0913", "PLR1702")
FUNCTION_LINES, FILE_LINES, CHASSIS_LINES, DOCUMENTED_PERCENT = 60, 400, 2_700, 90


@pytest.fixture(scope="module")
def house() -> list[File]:
    return files()


def amiss(bound: int, sizes: Iterable[tuple[str, int]], excepted: dict[str, int]) -> list[str]:
    """What is past its bound and its exception, and the exceptions that nothing needs."""
    past = {(name, size) for name, size in sizes if size > bound}
    needed = {name for name, _ in past}
    return [
        *sorted(f"{name}: {size}" for name, size in past if size > excepted.get(name, bound)),
        *(f"{name}: take it out of docs/figures.toml" for name in excepted if name not in needed),
    ]


def test_no_function_is_longer_than_sixty_lines(house: list[File]) -> None:
    """Reason: what does not fit a screen is not read; look for the missing noun."""
    sizes = ((f"{f.path.name}::{f.name}", f.lines) for f in functions_of(house))
    assert amiss(FUNCTION_LINES, sizes, EXCEPTIONS["functions"]) == []


def test_no_file_is_longer_than_four_hundred_lines(house: list[File]) -> None:
    """Reason: past that a file holds two nouns; split it by noun."""
    sizes = ((file.path.name, file.lines) for file in house)
    assert amiss(FILE_LINES, sizes, EXCEPTIONS["files"]) == []


@pytest.mark.parametrize(
    ("sizes", "excepted", "found"),
    [
        ([("a", 60)], {}, 0),
        ([("a", 61)], {}, 1),
        ([("a", 61)], {"a": 61}, 0),
        ([("a", 62)], {"a": 61}, 1),
        ([("a", 60)], {"a": 61}, 1),
        ([], {"a": 61}, 1),
    ],
)
def test_an_exception_neither_grows_nor_outlives_its_need(
    sizes: list[tuple[str, int]], excepted: dict[str, int], found: int
) -> None:
    assert len(amiss(60, sizes, excepted)) == found


def test_the_chassis_is_read_in_half_an_hour(house: list[File]) -> None:
    """Reason: every service carries it; what has one user goes back to that user."""
    lines = sum(file.lines for file in house if file.area == "libs/chassis")
    assert lines <= CHASSIS_LINES


def test_packages_do_not_stand_in_circles(house: list[File]) -> None:
    """Reason: what is in a circle can only be understood, moved and tested as a whole."""
    found = set(circles(house))
    assert found == set(EXCEPTIONS["circles"])


def test_the_formatter_is_never_off(house: list[File]) -> None:
    """Reason: how code is laid out is nobody's decision."""
    assert formatter_off(house) == 0


def test_most_public_functions_say_what_they_do(house: list[File]) -> None:
    """Reason: libraries, models and use cases are what others call and what readers look up."""
    said = documented(functions_of(filter(needs_docstrings, house)))
    assert said >= DOCUMENTED_PERCENT


def test_no_median_grows_without_a_decision(house: list[File]) -> None:
    """Reason: proportions are lost a line at a time. Functions to the line, files to ten lines."""
    grown = []
    for area, group in areas(house).items():
        recorded = RECORDED["medians"].get(area)
        assert recorded, (
            f"docs/figures.toml has no medians of {area}; `make figures MEDIANS=1` prints them"
        )
        today = medians(group)
        if any(today[key] > recorded[key] for key in today) and not decided(recorded):
            grown.append(f"{area}: {today}, recorded {recorded}")
    assert grown == []


def decided(recorded: dict[str, int]) -> bool:
    """An ADR stands beside the median that it lets grow."""
    return "adr" in recorded and any(ROOT.glob(f"docs/adr/{recorded['adr']:04}-*.md"))


def test_exceptions_of_the_linter_are_still_needed() -> None:
    """Reason: an exception that nothing needs lets the next breach in. Take it out."""
    listed = {
        (Path(pattern).name, rule)
        for pattern, rules in RUFF["per-file-ignores"].items()
        for rule in rules
        if rule in PROPORTIONS and "/tests/" not in pattern
    }
    assert listed == breaches()


def breaches() -> set[tuple[str, str]]:
    """What ruff finds in sources where nothing is excepted, by file name and rule."""
    command = [sys.executable, "-m", "ruff", "check", "--exit-zero", "--output-format", "json"]
    bare = ["--config", "lint.per-file-ignores = {}", "--select", ",".join(PROPORTIONS)]
    found = subprocess.run([*command, *bare, "."], cwd=ROOT, capture_output=True, text=True)
    places = [(Path(breach["filename"]), breach["code"]) for breach in json.loads(found.stdout)]
    return {(path.name, code) for path, code in places if is_source(path)}


def is_source(path: Path) -> bool:
    return "tests" not in path.relative_to(ROOT).parts and path.name != "conftest.py"
