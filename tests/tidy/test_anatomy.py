"""Behaviours are found where `docs/anatomy.md` says: in three links from the README, by name."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from .test_house import ROOT

ANATOMY = ROOT / "docs" / "anatomy.md"
ROW = re.compile(r"^\| ([^|]+) \| ((?:\[\d\]\([^)]+\) ?)+)\| `([^`]+)` \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
CODE = re.compile(r"`([^`\n]+)`")
BEHAVIOURS = ROW.findall(ANATOMY.read_text())


def links_of(cell: str) -> list[Path]:
    return [(ANATOMY.parent / link).resolve() for link in LINK.findall(cell)]


def leads(page: Path, target: Path) -> bool:
    """Whether a page links or names a file; a folder leads to what lies in it."""
    if page.is_dir():
        return target.parent == page
    text = page.read_text()
    linked = ((page.parent / link).resolve() for link in LINK.findall(text))
    return target in linked or any(names(code, target) for code in CODE.findall(text))


def names(code: str, target: Path) -> bool:
    """Whether `code` is an end of the target's path, its module or a symbol in that module."""
    folders = [target.parent] if target.name == "README.md" else []
    ways = [str(path.relative_to(ROOT)) for path in (target, target.with_suffix(""), *folders)]
    module = re.match(r"[a-z_]+(?=\.\w+$)", code)
    said = {code.rstrip("/"), module[0]} if module else {code.rstrip("/")}
    pattern = "|".join(re.sub(r"<\w+>", r"[^/]+", re.escape(text)) for text in said)
    return any(re.search(rf"(^|/)({pattern})$", way) for way in ways)


def symbols(owner: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from symbols(node, f"{prefix}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (f"{prefix}{ast.unparse(target)}" for target in targets)


def test_twelve_behaviours_are_told_six_of_them_in_inference_and_infra() -> None:
    ends = [str(links_of(cell)[-1].relative_to(ROOT)) for _, cell, _ in BEHAVIOURS]
    below = ("services/inference-gateway/", "libs/vision/", "infra/")
    assert len(ends) >= 12
    assert sum(end.startswith(below) for end in ends) >= 6


@pytest.mark.parametrize(
    ("behaviour", "cell", "symbol"), BEHAVIOURS, ids=[b[2] for b in BEHAVIOURS]
)
def test_a_behaviour_is_found_in_three_links(behaviour: str, cell: str, symbol: str) -> None:
    way = [ROOT / "README.md", *links_of(cell)]
    assert len(way) <= 4, behaviour
    for page, target in pairwise(way):
        assert target.exists(), f"{behaviour}: {target} is not there"
        assert leads(page, target), f"{behaviour}: {page} does not lead to {target}"
    assert symbol in symbols(ast.parse(way[-1].read_text())), f"{behaviour}: {symbol} in {way[-1]}"


@pytest.mark.parametrize(
    ("code", "is_named"),
    [
        ("model.py", True),
        ("model", True),
        ("model.TRANSITIONS", True),
        ("violations/model.py", True),
        ("odel.py", False),
        ("usecases", False),
        ("services/<name>/src", False),
    ],
)
def test_a_file_is_named_by_the_end_of_its_path(code: str, is_named: bool) -> None:
    target = ROOT / "services/violations/src/violations/model.py"
    assert names(code, target) is is_named
