"""What is said to people stands in one catalogue a language, and the three say the same things."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from chassis.texts import LANGUAGES
from fluent.syntax import FluentParser
from fluent.syntax.ast import Comment, Message
from fluent.syntax.serializer import serialize_pattern

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(
    path.parent
    for root in ("libs", "services")
    for path in ROOT.glob(f"{root}/*/src/*/texts/en.ftl")
)
# The base class of all refusals is never answered by itself.
UNSPOKEN = {"REFUSED"}


def messages(file: Path) -> dict[str, str]:
    """The messages of a catalogue by key. What is no message is a fault of the file."""
    entries = FluentParser().parse(file.read_text("utf-8")).body
    faults = [entry for entry in entries if not isinstance(entry, Message | Comment)]
    assert not faults, f"{file}: {[vars(fault) for fault in faults]}"
    spoken = [entry for entry in entries if isinstance(entry, Message)]
    keys = [entry.id.name for entry in spoken]
    assert len(keys) == len(set(keys)), f"{file}: a key stands twice"
    assert all(entry.value and not entry.attributes for entry in spoken), file
    return {entry.id.name: serialize_pattern(entry.value) for entry in spoken if entry.value}


def codes_of_refusals(package: Path) -> set[str]:
    """The codes of the refusals that a package defines."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found |= {
                    line.value.value
                    for line in node.body
                    if isinstance(line, ast.Assign | ast.AnnAssign)
                    and re.match(r"code\b", ast.unparse(line))
                    and isinstance(line.value, ast.Constant)
                    and isinstance(line.value.value, str)
                }
    return found - UNSPOKEN


def packages() -> list[Path]:
    roots = ("libs", "services")
    return sorted(path.parent for root in roots for path in ROOT.glob(f"{root}/*/src/*/py.typed"))


@pytest.mark.parametrize("texts", CATALOGUES, ids=lambda texts: texts.parent.name)
def test_the_three_languages_say_the_same_things(texts: Path) -> None:
    english, *others = ({**messages(texts / f"{language}.ftl")} for language in LANGUAGES)
    for other in others:
        assert other.keys() == english.keys()
        for key, text in english.items():
            variables = re.findall(r"\$[a-z_]+", text)
            assert sorted(set(re.findall(r"\$[a-z_]+", other[key]))) == sorted(set(variables)), key
    said_twice = {key for key, text in others[0].items() if text == others[1][key]}
    assert not said_twice, "Russian and Kazakh are the same"


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.name)
def test_every_refusal_has_its_sentence_and_every_sentence_its_use(package: Path) -> None:
    codes, english = codes_of_refusals(package), package / "texts" / "en.ftl"
    said = messages(english).keys() if english.exists() else set()
    assert codes <= said, f"say it in {english.parent}: {sorted(codes - said)}"
    literals = {
        node.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert said <= codes | literals, f"nothing says it: {sorted(said - codes - literals)}"
