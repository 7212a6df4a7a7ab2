"""One noun for each thing: the contract's nouns stand in `docs/glossary.md`, in three languages."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
import yaml

from .test_house import ROOT

MESSAGE = re.compile(r"^(?:message|service) (\w+)", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
SUBJECT = re.compile(r"^`([a-z]+\.v1\.\S+)`$")
DEFINED = ("story", "hold", "caution", "intake", "assessment", "lease generation")
# Entries of the ledger and of the watch-list, areas on the ground and in a picture: the glossary
# names their areas too.
NAMES_OF_TWO = {"Entry", "Box", "Polygon", "Point"}


@cache
def rows() -> list[list[str]]:
    """The cells of the glossary's tables, without their headings."""
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line[:2] == "| "]
    return [row for row in cells if row[0] not in ("English", "subject")]


def nouns() -> list[list[str]]:
    return [row for row in rows() if not SUBJECT.match(row[0])]


def events() -> list[list[str]]:
    return [row for row in rows() if SUBJECT.match(row[0])]


def contract() -> Iterator[str]:
    """Messages and services that are nouns; what is only asked and answered belongs to an RPC."""
    for path in sorted((ROOT / "proto").rglob("*.proto")):
        area = path.parts[-3]
        for name in MESSAGE.findall(path.read_text()):
            if not name.endswith(("Request", "Response")):
                yield f"{area}.{name}" if name in NAMES_OF_TWO else name


def published() -> set[str]:
    users = yaml.safe_load((ROOT / "infra/nats/streams.yaml").read_text())["users"].values()
    streams = [stream for user in users for stream in user.get("publishes", {}).values()]
    return {subject.replace(".>", ".*") for subjects in streams for subject in subjects}


def test_every_noun_of_the_contract_stands_in_the_glossary() -> None:
    """Reason: what has no word of its own gets several."""
    said = [name for row in nouns() for name in CODE.findall(row[4])]
    said += [name for row in events() for name in CODE.findall(row[1])]
    assert sorted(set(contract()) - set(said)) == []
    assert sorted(set(said) - set(contract())) == [], "the contract has no such messages"


def test_every_event_stands_in_the_glossary() -> None:
    assert {CODE.findall(row[0])[0] for row in events()} == published()


@pytest.mark.parametrize("row", nouns() + events(), ids=lambda row: row[0].strip("`"))
def test_every_noun_has_its_word_in_three_languages(row: list[str]) -> None:
    english, kazakh, russian = row[2:5] if row in events() else row[:3]
    assert english and english.isascii()
    assert re.fullmatch(r"[а-яёәғқңөұүһі ,-]+", kazakh, re.IGNORECASE), kazakh
    assert re.fullmatch(r"[а-яё ,-]+", russian, re.IGNORECASE), russian
    assert row in events() or row[3], f"{english} is not explained"


def test_a_word_means_one_thing() -> None:
    for column in range(3):
        words = Counter(row[column].casefold() for row in nouns())
        assert [word for word, times in words.items() if times > 1] == []


@pytest.mark.parametrize("word", DEFINED)
def test_words_of_our_own_are_defined(word: str) -> None:
    assert word in [row[0] for row in nouns()]
