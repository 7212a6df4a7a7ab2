"""Routing: ordered rules that name the unit which receives a report.

A report goes to the unit of the first rule that fits it or, if none fits, to the default desk of
its region. Two cases precede all rules: a complaint about an officer goes to the unit of oversight
(APPC 67), and a report about a place abroad to the manual queue of its region. Rules have versions.
Version 0 is the table of `law`, which is active until another version is made active.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from law.regions import REGIONS
from law.report_routing import ReportRouting
from law.zone import in_almaty

from citizen_reports.model.categories import Category
from citizen_reports.model.personnel import Unit, UnitKind

BUILT_IN = 0
COMPLAINT, ABROAD, DEFAULT = "complaint", "abroad", "default"
MANUAL = "manual"
# How many leading digits of a KATO code name the region, the district and the rural district.
_KATO_LEVELS = (2, 4, 6)


class SecrecyClass(StrEnum):
    OPEN = "open"
    PERSONAL = "personal"
    PROTECTED = "protected"
    SEALED = "sealed"


class RuleDays(StrEnum):
    ALL = "all"
    WORKING = "working"
    OFF = "off"


CLASSES = {
    Category.TRAFFIC_VIOLATION: SecrecyClass.OPEN,
    Category.ROAD_ACCIDENT: SecrecyClass.OPEN,
    Category.INCIDENT: SecrecyClass.PERSONAL,
    Category.OTHER: SecrecyClass.PERSONAL,
    Category.DOMESTIC_VIOLENCE: SecrecyClass.PROTECTED,
    Category.INCIDENT_WITH_CHILD: SecrecyClass.PROTECTED,
    Category.COMPLAINT_ABOUT_OFFICER: SecrecyClass.SEALED,
}
IsWorking = Callable[[date], bool]


@dataclass(frozen=True)
class Facts:
    """What routing knows of a report: neither its text nor its reporter. `kato` is the KATO code of
    the place, "" if none was given; `moment` is when the report is routed."""

    category: Category
    region: str
    kato: str
    language: str
    moment: datetime
    abroad: bool = False


@dataclass(frozen=True)
class Rule:
    """A routing rule: conditions, and the unit or desk for the reports that fit all of them.

    An empty condition fits every report. Hours are those of Almaty, from `from_hour` until just
    before `until_hour`: past midnight if `from_hour` is later, the whole day if both are equal.
    `districts` are KATO codes. If `unit` is "", reports go to the desk `desk` of their region.
    """

    name: str
    categories: frozenset[Category] = frozenset()
    classes: frozenset[SecrecyClass] = frozenset()
    regions: frozenset[str] = frozenset()
    districts: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()
    from_hour: int = 0
    until_hour: int = 0
    days: RuleDays = RuleDays.ALL
    desk: str = ""
    unit: str = ""

    def unit_in(self, region: str) -> str:
        """Return the name of the unit to which the rule sends a report of this region."""
        return self.unit or f"{region}-{self.desk}"

    def misses(self, facts: Facts, is_working: IsWorking) -> tuple[str, ...]:
        """Return the names of the conditions that a report does not fit; () if the rule fits it."""
        local = in_almaty(facts.moment)
        fits = {
            "categories": not self.categories or facts.category in self.categories,
            "classes": not self.classes or CLASSES[facts.category] in self.classes,
            "regions": not self.regions or facts.region in self.regions,
            "districts": not self.districts or _lies_in(facts.kato, self.districts),
            "languages": not self.languages or facts.language in self.languages,
            "hours": self._covers(local.hour),
            "days": self.days is RuleDays.ALL
            or (self.days is RuleDays.WORKING) == is_working(local.date()),
        }
        return tuple(name for name, does_fit in fits.items() if not does_fit)

    def goes_to(self, unit: str) -> bool:
        """Return whether the rule sends the reports of any region to this unit."""
        return unit in {self.unit_in(region) for region in self.regions or REGIONS}

    def may_fit(self) -> frozenset[Category]:
        """Return the categories of the reports that the rule may send to its unit. Complaints are
        among them only if the categories or classes of the rule name them."""
        named = self.categories or frozenset(Category)
        fit = frozenset(one for one in named if not self.classes or CLASSES[one] in self.classes)
        is_named = self.categories or self.classes
        return fit if is_named else fit - {Category.COMPLAINT_ABOUT_OFFICER}

    def _covers(self, hour: int) -> bool:
        start, end = self.from_hour, self.until_hour
        if start <= end:
            return start == end or start <= hour < end
        return hour >= start or hour < end


@dataclass(frozen=True)
class Passed:
    """A rule that does not fit a report, and the names of its conditions that do not fit."""

    name: str
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Routed:
    """The unit to which a report goes, the version and the name of the rule that decided so, and
    the rules `passed` before. If no rule decided, `rule` is COMPLAINT, ABROAD or DEFAULT."""

    unit: str
    version: int
    rule: str
    passed: tuple[Passed, ...] = ()

    @property
    def note(self) -> str:
        """The unit, rule and version, as text for the step in the report's history."""
        return f"{self.unit}: rule {self.rule} of version {self.version}"


@dataclass(frozen=True)
class RuleSet:
    """The rules of one version, in the order in which they are tried."""

    version: int
    rules: tuple[Rule, ...]
    default_desk: str
    complaint_unit: str

    def decide(self, facts: Facts, is_working: IsWorking) -> Routed:
        """Return the unit to which a report with these facts goes, and the rule that decides."""
        if facts.category is Category.COMPLAINT_ABOUT_OFFICER:
            return Routed(self.complaint_unit, self.version, COMPLAINT)
        if facts.abroad:
            return Routed(f"{facts.region}-{MANUAL}", self.version, ABROAD)
        passed: list[Passed] = []
        for rule in self.rules:
            missed = rule.misses(facts, is_working)
            if not missed:
                unit = rule.unit_in(facts.region)
                return Routed(unit, self.version, rule.name, tuple(passed))
            passed.append(Passed(rule.name, missed))
        unit = f"{facts.region}-{self.default_desk}"
        return Routed(unit, self.version, DEFAULT, tuple(passed))

    def everywhere(self) -> tuple[Rule, ...]:
        """Return the rules, and three more that stand for the targets without a rule: the default
        desks, the manual queues for places abroad, and the unit for complaints."""
        complaints = frozenset({Category.COMPLAINT_ABOUT_OFFICER})
        return (
            *self.rules,
            Rule(DEFAULT, desk=self.default_desk),
            Rule(ABROAD, desk=MANUAL),
            Rule(COMPLAINT, categories=complaints, unit=self.complaint_unit),
        )


class Router(Protocol):
    """Chooses the unit that receives a report, by the version of the rules that is active."""

    def decide(self, facts: Facts) -> Routed: ...


@dataclass(frozen=True)
class BuiltInRouter:
    """Chooses the unit that receives a report, always by version 0 of the rules."""

    rules: RuleSet
    is_working: IsWorking

    def decide(self, facts: Facts) -> Routed:
        return self.rules.decide(facts, self.is_working)


def built_in_rules(table: ReportRouting) -> RuleSet:
    """Return version 0 of the rules, made from a table of `law`."""
    rules = tuple(
        Rule(
            name=f"{rule.category.replace('_', '-')}-{number}",
            categories=frozenset({Category(rule.category)}),
            from_hour=rule.from_hour,
            until_hour=rule.until_hour % 24,
            desk=rule.unit,
        )
        for number, rule in enumerate(table.rules, 1)
    )
    return RuleSet(BUILT_IN, rules, MANUAL, table.complaint_unit)


def may_take(table: ReportRouting, category: Category, unit: Unit) -> bool:
    """Whether a unit may receive reports of a category.

    Only the unit of oversight may receive complaints. If `table` names desks for a category, as for
    violence and children, only these desks may receive its reports; otherwise any desk may.
    """
    if category is Category.COMPLAINT_ABOUT_OFFICER:
        return unit.unit == table.complaint_unit
    if unit.kind is not UnitKind.DESK:
        return False
    named = table.may_take.get(category)
    return named is None or unit.unit in {f"{unit.region}-{name}" for name in named}


def is_fit_for(table: ReportRouting, rule: Rule, unit: Unit) -> bool:
    """Whether a unit may receive all reports that a rule sends to it: the rule sends reports of no
    other region to it, and only reports of categories that the unit may receive."""
    if rule.unit and rule.unit != table.complaint_unit:
        is_of_region = rule.regions == {unit.region}
    else:
        is_of_region = rule.unit_in(unit.region) == unit.unit
    return is_of_region and all(may_take(table, one, unit) for one in rule.may_fit())


@dataclass(frozen=True)
class WrongRule:
    """A wrong field of a rule, with a description of what would be right, and an error code."""

    field: str
    description: str
    code: str


def wrong_targets(
    rule: Rule, units: Mapping[str, Unit], table: ReportRouting
) -> Iterable[WrongRule]:
    """Yield the faults of the unit or desk of a rule: it does not exist, belongs to another region,
    or may not receive a category of the rule. `units` are the existing units by name."""
    field = "unit" if rule.unit else "desk"
    regions = sorted(rule.regions or REGIONS)
    names = {rule.unit_in(region) for region in regions}
    missing = sorted(names - units.keys())
    if missing:
        yield WrongRule(field, f"a unit that exists; {missing[0]} does not", code="UNIT_UNKNOWN")
        return
    named = units.get(rule.unit)
    is_oversight = rule.unit == table.complaint_unit
    if named and not is_oversight and {named.region} != rule.regions:
        yield WrongRule("regions", f"{named.region or 'none'} alone", code="UNIT_OF_ANOTHER_REGION")
    refused = sorted(
        category
        for category in rule.may_fit()
        if not all(may_take(table, category, units[name]) for name in names)
    )
    if refused:
        says = f"a desk that may take {', '.join(refused)}, or categories without"
        yield WrongRule(field, says, code="UNIT_NOT_FOR_CATEGORY")


def _lies_in(code: str, districts: Iterable[str]) -> bool:
    """Whether a KATO code is that of one of the districts, or of a place within one."""
    return any(code.startswith(_own_digits(district)) for district in districts)


def _own_digits(district: str) -> str:
    """The leading digits that a district's KATO code shares with all codes within the district."""
    for end in _KATO_LEVELS:
        if not district[end:].strip("0"):
            return district[:end]
    return district
