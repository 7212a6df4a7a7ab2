"""No circle between packages: of two rooms that import each other neither can be read alone."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from .test_house import ROOT

ROOTS = sorted(
    folder
    for pattern in ("services/*/src/*", "libs/*/src/*", "infra/*/src/*", "partner-kit/*/src/*")
    for folder in ROOT.glob(pattern)
    if (folder / "__init__.py").exists() and "contracts" not in folder.parts
)


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a module imports at any place, names of `from … import` included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def children(package: Path) -> list[Path]:
    """The modules and packages that lie in a package, itself left out."""
    return [
        path
        for path in sorted(package.iterdir())
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    ]


def siblings(package: Path, dotted: str) -> dict[str, set[str]]:
    """Which children of a package import which others, by name."""
    names = {path.stem: path for path in children(package)}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        files = [path] if path.is_file() else path.rglob("*.py")
        found = {line for file in files for line in imported(file)}
        parts = {
            line.removeprefix(f"{dotted}.").split(".")[0]
            for line in found
            if line.startswith(f"{dotted}.")
        }
        graph[name] = (parts & set(names)) - {name}
    return graph


def packages(root: Path) -> Iterator[tuple[Path, str]]:
    for init in sorted(root.rglob("__init__.py")):
        yield init.parent, ".".join(init.parent.relative_to(root.parent).parts)


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_no_package_stands_in_a_circle(root: Path) -> None:
    """Reason: what imports each other is one thing in two places; move what both need below."""
    found = {dotted: circle(siblings(package, dotted)) for package, dotted in packages(root)}
    assert {dotted: way for dotted, way in found.items() if way} == {}


def test_the_rule_finds_a_circle() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"a"}, "c": {"a"}})) == {"a", "b"}
