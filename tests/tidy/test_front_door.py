"""What a new owner finds at the door: versions that agree, decisions with date and status."""

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

from .test_house import ROOT

RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", re.MULTILINE)
STATUS = re.compile(r"accepted|superseded by (\d+)")
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
PACKAGES = sorted(
    path
    for part in (".", "libs/*", "infra/*", "partner-kit/*", "services/*")
    for path in ROOT.glob(f"{part}/pyproject.toml")
    if path.parent.name != "contracts"  # generated; `proto/build.py` says its version
)


def releases() -> list[tuple[str, dt.date]]:
    """The dated sections of the changelog, newest first."""
    found = RELEASE.findall((ROOT / "CHANGELOG.md").read_text())
    return [(number, dt.date.fromisoformat(day)) for number, day in found]


def test_the_changelog_begins_with_what_is_not_released_and_goes_back_in_time() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == "Unreleased"
    days = [day for _, day in releases()]
    assert days and days == sorted(days, reverse=True)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_every_package_has_the_version_of_the_newest_release(path: Path) -> None:
    """Reason: what runs must be found in the changelog."""
    version = tomllib.loads(path.read_text())["project"]["version"]
    assert version == releases()[0][0]


def test_the_contracts_have_the_version_of_the_newest_release() -> None:
    text = (ROOT / "proto" / "build.py").read_text()
    assert re.findall(r'^version = "(.*)"$', text, re.MULTILINE) == [releases()[0][0]]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_every_decision_says_when_it_was_made_and_whether_it_holds(page: Path) -> None:
    """Reason: a rule without a date cannot be weighed against a newer one."""
    title, blank, date, status, *_ = page.read_text().splitlines()
    assert title.startswith(f"# {int(page.stem[:4])}. ") and blank == ""
    assert dt.date.fromisoformat(date.removeprefix("- Date: "))
    found = STATUS.fullmatch(status.removeprefix("- Status: "))
    assert found, f"{page.name}: {status}"
    if found[1]:
        assert any(ROOT.glob(f"docs/adr/{int(found[1]):04}-*.md")), f"{page.name}: {status}"


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.stem[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
