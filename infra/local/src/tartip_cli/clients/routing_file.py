"""Routing rules as a YAML file, which people edit, and as the messages of the contract.

    default: manual
    rules:
      - name: traffic-by-day
        categories: [traffic_violation]
        hours: 8-20
        desk: traffic
      - name: yesil-by-night
        regions: [KZ-71]
        districts: ["711110000"]
        hours: 20-8
        days: working
        unit: KZ-71-yesil

A rule has a name, a desk or a unit, and conditions: categories, classes, regions, districts,
languages, hours and days. A condition that is left out fits every report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from law.zone import UTC_PLUS_5
from tartip.reports.v1 import routing_pb2 as pb

from tartip_cli.clients.yaml_file import (
    category_name,
    enum_name,
    enum_number,
    read_category,
    read_yaml,
    texts_of,
    to_text,
)
from tartip_cli.failures import Exit, Failure

_LISTS = ("regions", "districts", "languages")
_KEYS = {"name", "categories", "classes", *_LISTS, "hours", "days", "desk", "unit"}
_FACTS = ("category", "region", "point", "kato", "language", "at")
_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})")


def read_file(path: Path) -> pb.DraftRoutingRequest:
    """Return the rules of a file, without an id. Raises Failure, which names the file and the rule,
    for what cannot be said in the contract. The service checks all else."""
    given = read_yaml(path)
    if not isinstance(given, dict) or set(given) != {"default", "rules"}:
        raise Failure(f"{path}: the keys are default and rules", Exit.USAGE)
    try:
        rules = [_read_rule(rule) for rule in given["rules"] or []]
    except (TypeError, ValueError) as error:
        raise Failure(f"{path}: {error}", Exit.USAGE) from None
    return pb.DraftRoutingRequest(rules=rules, default_desk=str(given["default"]))


def read_facts(given: Sequence[str]) -> pb.DryRunRoutingRequest:
    """Return the facts of a report. They are given as "category=incident", "region=KZ-75",
    "point=43.2,76.9", "kato=751110000", "language=kk" and "at=2026-12-03T22:30" (in Almaty). Raises
    Failure."""
    facts = dict(one.partition("=")[::2] for one in given)
    try:
        unknown = sorted(facts.keys() - _FACTS)
        if unknown:
            raise ValueError(f"{unknown[0]} is none of {', '.join(_FACTS)}")
        request = pb.DryRunRoutingRequest(
            category=read_category(facts.get("category", "")), language=facts.get("language", "ru")
        )
        request.place.region, request.place.kato = facts.get("region", ""), facts.get("kato", "")
        if "point" in facts:
            request.place.latitude, request.place.longitude = map(float, facts["point"].split(","))
        if "at" in facts:
            request.at.FromDatetime(in_almaty(datetime.fromisoformat(facts["at"])))
    except ValueError as error:
        raise Failure(f"the facts: {error}", Exit.USAGE) from None
    return request


def in_almaty(moment: datetime) -> datetime:
    """Return the moment that a clock in Almaty shows as `moment`."""
    return moment.replace(tzinfo=UTC_PLUS_5)


def to_yaml(routing: pb.RoutingVersion) -> str:
    """Return a version as the text of such a file."""
    content = {
        "default": routing.default_desk,
        "rules": [_to_plain(rule) for rule in routing.rules],
    }
    head = f"# version {routing.version}" + (", active" if routing.active else "")
    return f"{head}\n{to_text(content)}"


def _read_rule(given: Any) -> pb.RoutingRule:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError("each rule has a name")
    name = given["name"]
    unknown = sorted(map(str, set(given) - _KEYS))
    if unknown:
        raise ValueError(f"rule {name}: {unknown[0]} is none of {', '.join(sorted(_KEYS))}")
    try:
        return _to_rule(given)
    except ValueError as error:
        raise ValueError(f"rule {name}: {error}") from None


def _to_rule(given: Mapping[str, Any]) -> pb.RoutingRule:
    start, end = _hours(given["hours"]) if "hours" in given else (0, 0)
    days = pb.RULE_DAYS_UNSPECIFIED
    if "days" in given:
        days = enum_number(pb.RuleDays, "RULE_DAYS", given["days"])
    return pb.RoutingRule(
        name=given["name"],
        categories=[read_category(one) for one in texts_of(given, "categories")],
        classes=[
            enum_number(pb.SecrecyClass, "SECRECY_CLASS", one) for one in texts_of(given, "classes")
        ],
        **{name: texts_of(given, name) for name in _LISTS},
        from_hour=start,
        until_hour=end,
        days=days,
        desk=str(given.get("desk", "")),
        unit=str(given.get("unit", "")),
    )


def _hours(given: object) -> tuple[int, int]:
    found = _HOURS.fullmatch(str(given))
    if found is None:
        raise ValueError("hours are written as 8-20, or 20-8 past midnight")
    return int(found[1]), int(found[2])


def _to_plain(rule: pb.RoutingRule) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": rule.name,
        "categories": [category_name(one) for one in rule.categories],
        "classes": [enum_name(pb.SecrecyClass, "SECRECY_CLASS", one) for one in rule.classes],
        **{name: list(getattr(rule, name)) for name in _LISTS},
    }
    if rule.from_hour != rule.until_hour:
        plain["hours"] = f"{rule.from_hour}-{rule.until_hour or 24}"
    if rule.days:
        plain["days"] = enum_name(pb.RuleDays, "RULE_DAYS", rule.days)
    plain |= {"desk": rule.desk, "unit": rule.unit}
    return {key: value for key, value in plain.items() if value}
