"""Rules decide in order, the default desk takes the rest, and no rule sends a report where its
category may not go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.law import read_law
from citizen_reports.model.personnel import Unit, UnitKind
from citizen_reports.model.routing import (
    Facts,
    Passed,
    Rule,
    RuleDays,
    RuleSet,
    SecrecyClass,
    WrongRule,
    wrong_targets,
)
from law.regions import REGIONS
from law.report_routing import read_report_routing
from law.yearly import read_yearly_tables

TABLE = read_report_routing()
SINCE = datetime(2000, 1, 1, tzinfo=UTC)
# 10:00 in Almaty on a Wednesday.
MOMENT = datetime(2026, 12, 2, 5, tzinfo=UTC)
is_working = read_yearly_tables().calendar.is_working_or_weekday


def facts(**changes: Any) -> Facts:
    given = Facts(Category.INCIDENT, "KZ-75", "751110000", "ru", MOMENT)
    return replace(given, **changes)


def unit(name: str, region: str = "", kind: UnitKind = UnitKind.DESK) -> Unit:
    return Unit(name, kind, "", region, name, name, SINCE)


UNITS = {
    f"{code}-{desk}": unit(f"{code}-{desk}", code) for code in REGIONS for desk in TABLE.units
} | {
    "internal-security": unit("internal-security", "", UnitKind.INTERNAL_SECURITY),
    "KZ-71-yesil": unit("KZ-71-yesil", "KZ-71"),
}


def rules(*given: Rule, default: str = "manual") -> RuleSet:
    return RuleSet(7, given, default, TABLE.complaint_unit)


def wrong(**changes: Any) -> list[tuple[str, str]]:
    """The fields that are wrong in a rule, with their codes."""
    found = wrong_targets(Rule("a-rule", **changes), UNITS, TABLE)
    return [(one.field, one.code) for one in found]


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("abroad", [False, True])
def test_version_0_routes_as_the_table_of_the_law_does(category: Category, abroad: bool) -> None:
    router = read_law().router
    for hour in range(24):
        for region in ("KZ-75", "KZ-19"):
            at = MOMENT + timedelta(hours=hour)
            asked = facts(category=category, region=region, moment=at, abroad=abroad)
            expected = TABLE.unit_for(category, region, at, abroad=abroad)
            assert router.decide(asked).unit == expected


def test_the_first_rule_that_fits_takes_it_and_those_before_say_why_not() -> None:
    routed = rules(
        Rule("kazakh-in-astana", regions=frozenset({"KZ-71"}), languages=frozenset({"kk"})),
        Rule("by-night", from_hour=20, until_hour=8, desk="duty"),
        Rule("medeu", districts=("751110000",), desk="order"),
        Rule("never-tried", desk="traffic"),
    ).decide(facts(), is_working)
    assert (routed.unit, routed.rule, routed.version) == ("KZ-75-order", "medeu", 7)
    assert routed.passed == (
        Passed("kazakh-in-astana", ("regions", "languages")),
        Passed("by-night", ("hours",)),
    )
    assert routed.note == "KZ-75-order: rule medeu of version 7"


def test_what_no_rule_takes_goes_to_the_default_desk() -> None:
    one = rules(Rule("children", categories=frozenset({Category.INCIDENT_WITH_CHILD}), desk="duty"))
    assert one.decide(facts(), is_working).unit == "KZ-75-manual"
    assert one.decide(facts(), is_working).rule == "default"


def test_complaints_and_places_abroad_stand_above_all_rules() -> None:
    everything = rules(Rule("everything", desk="duty"))
    about_officer = facts(category=Category.COMPLAINT_ABOUT_OFFICER, abroad=True)
    found = everything.decide(about_officer, is_working)
    assert (found.unit, found.rule) == ("internal-security", "complaint")
    found = everything.decide(facts(abroad=True), is_working)
    assert (found.unit, found.rule) == ("KZ-75-manual", "abroad")


@pytest.mark.parametrize(
    ("district", "kato", "fits"),
    [
        ("751110000", "751110000", True),
        ("751110000", "751110350", True),
        ("751110000", "751150000", False),
        ("750000000", "751150000", True),
        ("711000000", "711110000", False),
        ("751110000", "", False),
    ],
)
def test_a_district_is_its_code_and_all_within(district: str, kato: str, fits: bool) -> None:
    missed = Rule("here", districts=(district,), desk="duty").misses(facts(kato=kato), is_working)
    assert missed == (() if fits else ("districts",))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [(8, 20, range(8, 20)), (20, 8, [*range(20, 24), *range(8)]), (0, 0, range(24))],
)
def test_hours_are_those_of_almaty_and_may_pass_midnight(start: int, end: int, hours: Any) -> None:
    rule = Rule("hours", from_hour=start, until_hour=end, desk="duty")
    midnight = datetime(2026, 12, 1, 19, tzinfo=UTC)
    taken = [
        hour
        for hour in range(24)
        if not rule.misses(facts(moment=midnight + timedelta(hours=hour)), is_working)
    ]
    assert taken == sorted(hours)


def test_days_follow_the_working_calendar_and_a_missing_year_refuses_nothing() -> None:
    holiday = datetime(2026, 12, 16, 5, tzinfo=UTC)  # a Wednesday, Independence Day
    working = Rule("working", days=RuleDays.WORKING, desk="duty")
    off = Rule("off", days=RuleDays.OFF, desk="duty")
    assert working.misses(facts(), is_working) == () and off.misses(facts(), is_working)
    assert working.misses(facts(moment=holiday), is_working) == ("days",)
    assert off.misses(facts(moment=holiday), is_working) == ()
    assert is_working(date(2090, 1, 2)) and not is_working(date(2090, 1, 1))


def test_a_class_stands_for_its_categories() -> None:
    rule = Rule("protected", classes=frozenset({SecrecyClass.PROTECTED}), desk="protection")
    assert rule.may_fit() == {Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD}
    assert rule.misses(facts(), is_working) == ("classes",)


VIOLENCE, CHILD = Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD
COMPLAINT, TRAFFIC = Category.COMPLAINT_ABOUT_OFFICER, Category.TRAFFIC_VIOLATION


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"desk": "duty"}, []),
        ({"categories": frozenset({TRAFFIC}), "desk": "traffic"}, []),
        (
            {
                "unit": "KZ-71-yesil",
                "regions": frozenset({"KZ-71"}),
                "categories": frozenset({TRAFFIC}),
            },
            [],
        ),
        ({"categories": frozenset({COMPLAINT}), "unit": "internal-security"}, []),
        # Violence and children go nowhere but to the desks that the law names, however it is said.
        ({"desk": "traffic"}, [("desk", "UNIT_NOT_FOR_CATEGORY")]),
        (
            {"categories": frozenset({VIOLENCE}), "desk": "traffic"},
            [("desk", "UNIT_NOT_FOR_CATEGORY")],
        ),
        (
            {"categories": frozenset({CHILD, TRAFFIC}), "desk": "order"},
            [("desk", "UNIT_NOT_FOR_CATEGORY")],
        ),
        (
            {"classes": frozenset({SecrecyClass.PROTECTED}), "desk": "traffic"},
            [("desk", "UNIT_NOT_FOR_CATEGORY")],
        ),
        (
            {"unit": "KZ-71-yesil", "regions": frozenset({"KZ-71"})},
            [("unit", "UNIT_NOT_FOR_CATEGORY")],
        ),
        # A complaint goes to oversight, and nothing else does.
        (
            {"categories": frozenset({COMPLAINT}), "desk": "duty"},
            [("desk", "UNIT_NOT_FOR_CATEGORY")],
        ),
        (
            {"classes": frozenset({SecrecyClass.SEALED}), "desk": "manual"},
            [("desk", "UNIT_NOT_FOR_CATEGORY")],
        ),
        (
            {"categories": frozenset({TRAFFIC}), "unit": "internal-security"},
            [("unit", "UNIT_NOT_FOR_CATEGORY")],
        ),
        ({"desk": "yesil"}, [("desk", "UNIT_UNKNOWN")]),
        ({"unit": "KZ-71-nowhere", "regions": frozenset({"KZ-71"})}, [("unit", "UNIT_UNKNOWN")]),
        # A unit of one region sees reports of that region alone.
        ({"unit": "KZ-71-duty"}, [("regions", "UNIT_OF_ANOTHER_REGION")]),
        (
            {"unit": "KZ-71-traffic", "regions": frozenset({"KZ-71", "KZ-75"})},
            [("regions", "UNIT_OF_ANOTHER_REGION"), ("unit", "UNIT_NOT_FOR_CATEGORY")],
        ),
    ],
)
def test_a_rule_sends_nothing_where_it_may_not_go(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert wrong(**changes) == expected


def test_a_wrong_rule_says_which_kinds_may_not_go_there() -> None:
    [found] = wrong_targets(Rule("a-rule", desk="traffic"), UNITS, TABLE)
    assert found == WrongRule(
        "desk",
        "a desk that may take domestic_violence, incident_with_child, or categories without",
        "UNIT_NOT_FOR_CATEGORY",
    )
