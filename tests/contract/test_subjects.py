"""One truth about subjects: the broker's permissions, the messages in proto and the documents."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
AREAS = "cameras|inference|violations|fines|reports|complaints"
SUBJECT = re.compile(rf"\b(?:{AREAS})\.v1\.[a-z_]+\b")
BRACED = re.compile(rf"\b((?:{AREAS})\.v1)\.\{{([a-z_,]+)\}}")
USERS: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "infra" / "nats" / "streams.yaml").read_text()
)["users"]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())


def published_by(service: str) -> set[str]:
    listed = USERS[service].get("publishes", {}).values()
    return {subject for subjects in listed for subject in subjects}


def consumed_by(service: str) -> set[str]:
    listed = USERS[service].get("consumes", {}).values()
    return {subject for subjects in listed for subject in subjects}


def named_in(text: str) -> set[str]:
    """Subjects in a text, `area.v1.{one,two}` written out."""
    braced = {f"{area}.{fact}" for area, facts in BRACED.findall(text) for fact in facts.split(",")}
    return braced | set(SUBJECT.findall(text))


def in_proto() -> dict[str, str]:
    """Subject to message: the comment above an event begins with its subject."""
    found = {}
    for path in sorted((ROOT / "proto").rglob("events.proto")):
        text = path.read_text()
        for comment, message in re.findall(r"((?:^// .*\n)+)^message (\w+)", text, re.MULTILINE):
            if subject := re.match(rf"// ((?:{AREAS})\.v1\.[a-z_]+)", comment):
                found[subject.group(1)] = message
    return found


def test_every_published_subject_has_its_message_and_every_message_its_publisher() -> None:
    published = {s for service in USERS for s in published_by(service) if not s.endswith(">")}
    assert published == set(in_proto())


def test_a_subject_is_published_by_one_service_alone() -> None:
    for subject in in_proto():
        assert len([name for name in USERS if subject in published_by(name)]) == 1, subject


def test_what_is_consumed_is_published() -> None:
    for name in USERS:
        for subject in consumed_by(name):
            pattern = re.escape(subject).replace(r"\*", "[a-z_]+").replace(">", ".+")
            assert any(re.fullmatch(pattern, known) for known in in_proto()), f"{name}: {subject}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_the_subjects_that_it_may(service: str) -> None:
    may = published_by(service) | consumed_by(service)
    follows = USERS[service].get("follows", [])
    for subject in subjects_in_code(service):
        allowed = any(
            re.fullmatch(re.escape(known).replace(r"\*", "[a-z_]+").replace(">", ".+"), subject)
            for known in may
        )
        assert allowed or follows, f"{service} has no right to {subject} in streams.yaml"


def test_the_table_of_services_names_the_subjects_that_they_publish() -> None:
    table = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    for service in SERVICES:
        row = next(line for line in table.splitlines() if line.startswith(f"| [{service}]("))
        emits = named_in(row.split("|")[5])
        for subject in emits:
            assert subject in published_by(service), f"{service} may not publish {subject}"
        for subject in subjects_in_code(service) & published_by(service):
            assert subject in emits, f"the table of services does not say that {service} emits it"


def subjects_in_code(service: str) -> set[str]:
    """Subjects as whole strings, f-strings left out: what a service emits or subscribes to."""
    found = set()
    for path in (ROOT / "services" / service / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if SUBJECT.fullmatch(node.value) else set()
    return found
