"""A file of routing rules is what the contract says; what cannot be said in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tartip.reports.v1 import reports_pb2
from tartip.reports.v1 import routing_pb2 as pb
from tartip_cli.clients.routing_file import read_facts, read_file, to_yaml
from tartip_cli.failures import Exit, Failure

WHOLE = pb.RoutingRule(
    name="whole",
    categories=[reports_pb2.CATEGORY_INCIDENT],
    classes=[pb.SECRECY_CLASS_OPEN],
    regions=["KZ-71"],
    districts=["711110000"],
    languages=["kk", "ru"],
    from_hour=20,
    until_hour=8,
    days=pb.RULE_DAYS_WORKING,
    unit="KZ-71-yesil",
)
TO_MIDNIGHT = pb.RoutingRule(name="to-midnight", from_hour=8, until_hour=0, desk="duty")
ALL = pb.RoutingRule(name="all", desk="order")


def test_a_version_is_read_back_from_the_file_that_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    rules = [WHOLE, TO_MIDNIGHT, ALL]
    path.write_text(to_yaml(pb.RoutingVersion(version=3, rules=rules, default_desk="manual")))
    read = read_file(path)
    TO_MIDNIGHT.until_hour = 24
    assert (list(read.rules), read.default_desk) == (rules, "manual")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("rules: [", "is no YAML"),
        ("rules: []", "the keys are default and rules"),
        ("default: duty\nrules: 7", "not iterable"),
        ("default: duty\nrules: [{desk: duty}]", "each rule has a name"),
        ("default: duty\nrules: [{name: a, kind: b}]", "rule a: kind is none of"),
        ("default: duty\nrules: [{name: a, hours: night}]", "rule a: hours are written as"),
        ("default: duty\nrules: [{name: a, categories: [b]}]", "rule a: b is none of"),
        ("default: duty\nrules: [{name: a, regions: KZ-71}]", "rule a: regions is a list"),
    ],
)
def test_what_cannot_be_said_in_the_contract_is_named(
    tmp_path: Path, content: str, text: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(Failure, match=text) as caught:
        read_file(path)
    assert caught.value.code is Exit.USAGE


def test_facts_are_read_and_what_is_wrong_with_them_is_named() -> None:
    given = ("category=incident", "point=43.2,76.9", "kato=751110000", "at=2026-12-03T22:30")
    read = read_facts(given)
    assert (read.category, read.language) == (reports_pb2.CATEGORY_INCIDENT, "ru")
    assert (read.place.latitude, read.place.kato) == (43.2, "751110000")
    assert read.at.ToDatetime().isoformat() == "2026-12-03T17:30:00"
    for wrong in ("colour=red", "category=none", "point=here", "at=now"):
        with pytest.raises(Failure):
            read_facts(("category=incident", wrong))
