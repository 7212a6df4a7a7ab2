"""What protects the architecture, checked in one pass over the sources. Each rule says its reason.

An exception is one line, in place: `# tidy: <reason>`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted((ROOT / "services").glob("*/src/*"))
PLUMBING = [ROOT / "libs" / name / "src" / name for name in ("chassis", "host")]
BANNED_NAMES = re.compile(r"(Manager|Helper|Util|Common|Base|Data|Info|Impl|Processor)$")
SQL = re.compile(r"^\s*(select|insert into|update \w+ set|delete from|truncate)\b", re.IGNORECASE)
DOMAIN_NOUNS = re.compile(
    r"camera|plate|violation|fine\b|fines|citizen|report|officer|vehicle|iin\b", re.I
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@dataclass(frozen=True)
class Source:
    path: Path
    tree: ast.Module
    lines: list[str]

    def excused(self, node: ast.AST) -> bool:
        return "# tidy:" in self.lines[getattr(node, "lineno", 1) - 1]


def sources(*roots: Path) -> Iterator[Source]:
    for root in roots:
        yield from (source_of(path) for path in sorted(root.rglob("*.py")))


@cache
def source_of(path: Path) -> Source:
    """Parsed once for all rules."""
    text = path.read_text()
    return Source(path, ast.parse(text), text.splitlines())


def findings(check: object, *roots: Path) -> list[str]:
    found = []
    for source in sources(*roots):
        for node in ast.walk(source.tree):
            if check(source, node) and not source.excused(node):  # type: ignore[operator]
                found.append(f"{source.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}")
    return found


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def docstrings(tree: ast.Module) -> set[int]:
    return {
        id(owner.body[0].value)
        for owner in ast.walk(tree)
        if isinstance(owner, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and owner.body
        and isinstance(owner.body[0], ast.Expr)
    }


def test_sql_stands_in_storage_alone() -> None:
    """Reason: one place to read what a service asks of its tables."""

    def sql(source: Source, node: ast.AST) -> bool:
        if source.path.name == "storage.py" or "storage" in source.path.parts:
            return False
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            return True
        return (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and bool(SQL.match(node.value))
        )

    assert findings(sql, *SERVICES) == []


def test_the_environment_is_read_in_settings_alone() -> None:
    """Reason: what a process is told from outside stands in one class."""

    def environment(source: Source, node: ast.AST) -> bool:
        if source.path.name == "settings.py":
            return False
        return isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")

    assert findings(environment, *SERVICES, *PLUMBING) == []


def test_nobody_commits_but_the_chassis() -> None:
    """Reason: a transaction begins and ends where `db.begin` stands (ADR 2)."""
    assert findings(lambda _, node: called(node).endswith(".commit"), *SERVICES) == []


def test_the_page_of_a_request_is_read_by_the_chassis_alone() -> None:
    """It binds a page token to the caller and the whole query; by hand one of them is forgotten."""

    def reads_page(source: Source, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and ast.unparse(node) == "request.page"

    assert findings(reads_page, *SERVICES, ROOT / "libs/audit_log/src") == []


def test_tasks_have_an_owner() -> None:
    """Reason: a task that nobody awaits dies unseen; use a TaskGroup or a chassis loop."""
    assert (
        findings(lambda _, node: called(node) == "asyncio.create_task", *SERVICES, *PLUMBING) == []
    )


def test_nothing_is_printed_and_nothing_is_swallowed() -> None:
    """Reason: services log JSON; a bare except hides a bug."""
    assert findings(lambda _, node: called(node) == "print", *SERVICES, *PLUMBING) == []
    assert (
        findings(
            lambda _, node: isinstance(node, ast.ExceptHandler) and node.type is None,
            *SERVICES,
            *PLUMBING,
        )
        == []
    )


def test_money_is_never_a_float() -> None:
    """Reason: tiyn are integers."""

    def floating(source: Source, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.AnnAssign)
            and "minor" in ast.unparse(node.target)
            and "float" in ast.unparse(node.annotation)
        )

    assert findings(floating, *SERVICES) == []


def test_the_plumbing_knows_no_domain_noun() -> None:
    """Reason: it is shared by all; what it knows of one, all must carry."""
    found = []
    for source in sources(*PLUMBING):
        said = docstrings(source.tree)
        for node in ast.walk(source.tree):
            text = (
                node.id
                if isinstance(node, ast.Name)
                else node.name
                if isinstance(node, ast.ClassDef | ast.FunctionDef)
                else node.value
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in said
                else ""
            )
            if DOMAIN_NOUNS.search(text) and not source.excused(node):
                found.append(f"{source.path.name}:{getattr(node, 'lineno', 1)} {text[:40]!r}")
    assert found == []


def test_no_class_has_an_empty_name() -> None:
    """Reason: Manager, Helper and the like say nothing of what a thing is."""

    def empty(source: Source, node: ast.AST) -> bool:
        return isinstance(node, ast.ClassDef) and bool(BANNED_NAMES.search(node.name))

    assert findings(empty, *SERVICES, *PLUMBING, *sorted((ROOT / "infra").glob("*/src"))) == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda p: p.stem)
def test_every_decision_names_what_checks_it(page: Path) -> None:
    """Reason: a rule that nothing checks is a wish."""
    last = page.read_text().strip().splitlines()
    checked = " ".join(last[-3:])
    assert "Checked by" in checked
    for named in re.findall(r"`((?:tests|services|libs)/[^`\s]+)`", checked):
        assert (ROOT / named).exists(), f"{page.name} names {named}, which is not there"


@pytest.mark.parametrize(
    "page",
    [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "services").glob("*/README.md")),
        *sorted((ROOT / "libs").glob("*/README.md")),
        *sorted((ROOT / "partner-kit").rglob("README.md")),
    ],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_is_short_and_shows_the_mesh() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 80
    assert text.count("![") == 1


def test_no_address_of_a_registry_stands_in_a_lock() -> None:
    """Reason: what is installed is named by its hash; where from is the machine's affair."""
    locks = [
        *ROOT.glob("*.lock"),
        *(ROOT / "infra").rglob("*.lock"),
        *(ROOT / "infra").rglob("package-lock.json"),
    ]
    assert locks
    for lock in locks:
        assert not re.search(r"https?://|file:", lock.read_text()), lock.name


def test_the_table_of_streams_knows_every_subject_that_services_use() -> None:
    """Reason: a subject that no stream holds is a fact that nobody hears."""
    held = [
        subject
        for stream in yaml.safe_load((ROOT / "infra/nats/streams.yaml").read_text())[
            "streams"
        ].values()
        for subject in stream["subjects"]
    ]
    said = re.compile(r"(cameras|inference|violations|fines|reports|complaints)\.v1\.[a-z_]+")
    used = {
        node.value
        for source in sources(*SERVICES)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and said.fullmatch(node.value)
    }
    assert used
    for subject in used:
        assert any(
            subject == pattern or (pattern.endswith(".>") and subject.startswith(pattern[:-1]))
            for pattern in held
        ), subject
