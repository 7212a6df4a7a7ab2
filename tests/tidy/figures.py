"""The figures of the house, from one pass over its sources: `make figures`.

An area is a service, a library, a package of the partner kit, `infra` or `tests` (all of them).
Migrations and generated code are left out. Lines are all lines of a file; a function's are those
from its `def` to its end, nested functions count as functions of their own; what is empty counts as
no file.
"""

import argparse
import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from math import ceil
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("libs", "services", "infra", "partner-kit", "tests", "proto")
LEFT_OUT = {"migrations", "contracts", "node_modules", "__pycache__"}
DOCUMENTED = ("libs", "model", "usecases")  # where most public functions need a docstring

RPC = re.compile(r"^((?:  //.*\n)*)  rpc ", re.MULTILINE)
Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function or method: where it stands, its length in lines, whether others may call it."""

    path: Path
    name: str  # with its classes and enclosing functions: `Desk.confirm`
    lines: int
    is_public: bool
    has_docstring: bool

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}::{self.name}"


@dataclass
class File:
    """A source file, parsed once."""

    path: Path
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def parts(self) -> tuple[str, ...]:
        return self.path.relative_to(ROOT).parts

    @property
    def area(self) -> str:
        """`services/fines`, `libs/law`, `infra` or `tests`."""
        if "tests" in self.parts or self.path.name == "conftest.py":
            return "tests"
        owned = self.parts[0] in ("libs", "services", "partner-kit")
        return "/".join(self.parts[:2]) if owned else "infra"

    @cached_property
    def module(self) -> tuple[str, ...]:
        """The dotted name in parts, `__init__` with it: `("violations", "storage", "tables")`."""
        below = self.parts.index("src") + 1 if "src" in self.parts else 0
        return (*self.parts[below:-1], self.path.stem)

    @cached_property
    def comments(self) -> list[str]:
        if "#" not in self.text:
            return []
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [token.string for token in tokens if token.type == tokenize.COMMENT]

    @property
    def docstring_lines(self) -> int:
        found = (docstring(node) for node, _ in self.owners)
        return sum((node.end_lineno or 0) - node.lineno + 1 for node in found if node)

    @property
    def functions(self) -> list[Function]:
        return [
            function(self.path, node, names)
            for node, names in self.owners
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    @cached_property
    def owners(self) -> list[tuple[Owner, tuple[str, ...]]]:
        """The module, its classes and functions, each with the names of those it stands in."""
        return [(self.tree, ()), *owners(self.tree, ())]


def owners(parent: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[Owner, tuple[str, ...]]]:
    for node in statements(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, names
            mark = "" if isinstance(node, ast.ClassDef) else "()"
            yield from owners(node, (*names, node.name + mark))
        else:
            yield from owners(node, names)


def statements(parent: ast.AST) -> Iterator[ast.AST]:
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        inside = getattr(parent, block, ())
        yield from inside if isinstance(inside, list) else ()


def function(
    path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef, names: tuple[str, ...]
) -> Function:
    nested = any(name.endswith("()") for name in names)
    private = any(name.startswith("_") for name in (*names, node.name))
    return Function(
        path=path,
        name=".".join((*names, node.name)).replace("()", ""),
        lines=(node.end_lineno or node.lineno) - node.lineno + 1,
        is_public=not nested and not private,
        has_docstring=docstring(node) is not None,
    )


def docstring(owner: Owner) -> ast.Expr | None:
    first = owner.body[0] if owner.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first if isinstance(first.value.value, str) else None
    return None


def files() -> list[File]:
    """Every source file that somebody wrote, in order of its path."""
    paths = chain([ROOT / "conftest.py"], *((ROOT / part).rglob("*.py") for part in PARTS))
    read = (
        File(path, path.read_text()) for path in sorted(paths) if not LEFT_OUT & set(path.parts)
    )
    return [file for file in read if file.text.strip()]


def functions_of(group: Iterable[File]) -> list[Function]:
    return [function for file in group for function in file.functions]


def areas(group: Iterable[File]) -> dict[str, list[File]]:
    found: dict[str, list[File]] = {}
    for file in group:
        found.setdefault(file.area, []).append(file)
    return dict(sorted(found.items(), key=lambda item: (item[0] == "tests", item[0])))


def spread(values: list[int]) -> dict[str, float]:
    """Median, 90th percentile and maximum of sizes in lines."""
    if len(values) < 2:
        return dict.fromkeys(("median", "p90", "max"), sum(values))
    p90 = quantiles(values, n=10, method="inclusive")[-1]
    return {"median": median(values), "p90": round(p90), "max": max(values)}


def share(part: int, whole: int) -> float:
    """Per cent, to a tenth."""
    return round(100 * part / whole, 1) if whole else 100.0


def documented(functions: Iterable[Function]) -> float:
    """The share of public functions with a docstring, in per cent."""
    public = [function for function in functions if function.is_public]
    return share(sum(function.has_docstring for function in public), len(public))


def needs_docstrings(file: File) -> bool:
    """Libraries, models and use cases: what others call and readers look up."""
    rooms = {*file.parts[:-1], file.path.stem}
    return file.area not in ("tests", "infra") and bool(rooms & set(DOCUMENTED))


def figures_of(group: list[File]) -> dict[str, Any]:
    lines = sum(file.lines for file in group)
    functions = functions_of(group)
    return {
        "files": len(group),
        "lines": lines,
        "function": spread([function.lines for function in functions]),
        "file": spread([file.lines for file in group]),
        "comments_percent": share(sum(len(file.comments) for file in group), lines),
        "docstrings_percent": share(sum(file.docstring_lines for file in group), lines),
        "documented_percent": documented(functions),
    }


def medians(group: list[File]) -> dict[str, int]:
    """As `docs/figures.toml` holds them: of functions in lines, of files in tens of lines."""
    today = figures_of(group)
    return {
        "function": ceil(today["function"]["median"]),
        "file": ceil(today["file"]["median"] / 10) * 10,
    }


def rpcs_documented() -> float:
    """The share of RPCs whose contract says what they do, in per cent (buf lint asks for all)."""
    texts = (path.read_text() for path in sorted((ROOT / "proto").rglob("*.proto")))
    said = [bool(rpc.group(1)) for text in texts for rpc in RPC.finditer(text)]
    return share(sum(said), len(said))


def formatter_off(group: Iterable[File]) -> int:
    """How often comments ask the formatter to leave lines as they are."""
    said = (comment for file in group if "fmt:" in file.text for comment in file.comments)
    return sum("fmt: skip" in comment or "fmt: off" in comment for comment in said)


def imported(file: File, known: set[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """The modules of the house that a file imports, by their dotted names in parts."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            named = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = file.module[: -node.level] if node.level else ()
            package = (*above, *(node.module or "").split(".")) if node.module else above
            named = [(*package, alias.name) for alias in node.names]
        else:
            continue
        for name in named:
            yield from (tried for tried in candidates(name) if tried in known)


def candidates(name: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The files that a dotted name can mean; the first that is there is the one."""
    yield name
    yield (*name, "__init__")
    yield name[:-1]
    yield (*name[:-1], "__init__")


def circles(group: Iterable[File]) -> list[str]:
    """Siblings (modules or packages of one package) that import each other, directly or around."""
    sources = [file for file in group if "src" in file.parts and "tests" not in file.parts]
    known = {file.module for file in sources}
    edges: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for file in sources:
        for target in imported(file, known):
            depth = next(
                (i for i, (a, b) in enumerate(zip(file.module, target, strict=False)) if a != b), 0
            )
            if depth:
                siblings = edges.setdefault(file.module[:depth], {})
                siblings.setdefault(file.module[depth], set()).add(target[depth])
    return sorted(
        f"{'.'.join(package)}: {' <-> '.join(circle)}"
        for package, siblings in edges.items()
        for circle in strongly_connected(siblings)
    )


def strongly_connected(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of two and more names that all lead to each other."""
    reached = {name: reachable(name, edges) for name in edges}
    groups = {
        tuple(sorted({name} | {other for other in reached[name] if name in reached.get(other, ())}))
        for name in edges
    }
    return [list(group) for group in sorted(groups) if len(group) > 1]


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in edges.get(waiting.pop(), set()) - found:
            found.add(name)
            waiting.append(name)
    return found


def figures() -> dict[str, Any]:
    """All figures, as `--json` prints them."""
    house = files()
    by_area = areas(house)
    return {
        "areas": {area: figures_of(group) for area, group in by_area.items()},
        "documented_percent": documented(functions_of(filter(needs_docstrings, house))),
        "rpcs_documented_percent": rpcs_documented(),
        "formatter_off": formatter_off(house),
        "circles": circles(house),
        "chassis_lines": sum(file.lines for file in by_area["libs/chassis"]),
    }


HEADINGS = ("lines", "function", "file", "comments", "docstrings", "documented")


def table(measured: dict[str, Any]) -> Iterator[str]:
    """The figures for people: a row an area, then what holds for the whole house."""
    yield row("", *HEADINGS)
    for area, of in measured["areas"].items():
        sizes = ("·".join(f"{size:g}" for size in of[key].values()) for key in ("function", "file"))
        shares = (f"{of[f'{heading}_percent']}%" for heading in HEADINGS[3:])
        yield row(area, of["lines"], *sizes, *shares)
    yield ""
    yield "function, file: median·90th percentile·longest, in lines; documented: public functions"
    yield f"documented in libraries, models and use cases: {measured['documented_percent']}%"
    yield f"RPCs that their contract describes: {measured['rpcs_documented_percent']}%"
    yield f"lines of the chassis: {measured['chassis_lines']}"
    yield f"places where the formatter is off: {measured['formatter_off']}"
    yield f"circles between packages: {len(measured['circles'])}"
    yield from (f"  {circle}" for circle in measured["circles"])


def row(area: str, *cells: object) -> str:
    widths = (7, 11, 15, 10, 12, 12)
    return f"{area:27}" + "".join(
        f"{cell!s:>{width}}" for cell, width in zip(cells, widths, strict=True)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--medians", action="store_true", help="as docs/figures.toml holds them")
    asked = parser.parse_args()
    if asked.medians:
        for area, group in areas(files()).items():
            print(f'"{area}" = {{ {", ".join(f"{k} = {v}" for k, v in medians(group).items())} }}')
        return 0
    measured = figures()
    if asked.json:
        print(json.dumps(measured, indent=2, ensure_ascii=False))
    else:
        print("\n".join(table(measured)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
