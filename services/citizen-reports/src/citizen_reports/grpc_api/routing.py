"""The gRPC service `Routing`, by which administrators change the rules that route reports."""

import re
from datetime import datetime

import grpc
from chassis.call_context import current_caller
from chassis.clock import Clock, to_timestamp
from chassis.fields import check_text, read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from law.regions import REGIONS
from law.regions.borders import region_of
from law.regions.kato import check_kato, region_of_kato
from tartip.reports.v1 import routing_pb2 as pb
from tartip.reports.v1 import routing_pb2_grpc

from citizen_reports.events import CATEGORIES
from citizen_reports.grpc_api.personnel import asked_of
from citizen_reports.model.categories import Category
from citizen_reports.model.draft import LANGUAGES
from citizen_reports.model.routing import (
    ABROAD,
    COMPLAINT,
    DEFAULT,
    Facts,
    Rule,
    RuleDays,
    SecrecyClass,
)
from citizen_reports.usecases.routing_versions import Draft, Moves, RoutingVersions, Stated

Context = grpc.aio.ServicerContext
RULES_MAX, NOTE_MAX, NAME_MAX, HOURS = 200, 500, 64, 24
CATEGORY_OF = {number: category for category, number in CATEGORIES.items()}
CLASSES = {one: pb.SecrecyClass.Value(f"SECRECY_CLASS_{one.name}") for one in SecrecyClass}
CLASS_OF = {number: one for one, number in CLASSES.items()}
DAYS = {
    RuleDays.ALL: pb.RULE_DAYS_UNSPECIFIED,
    RuleDays.WORKING: pb.RULE_DAYS_WORKING,
    RuleDays.OFF: pb.RULE_DAYS_OFF,
}
DAYS_OF = {number: days for days, number in DAYS.items()}
_NAME = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{NAME_MAX - 1}}})")
_RESERVED = frozenset({COMPLAINT, ABROAD, DEFAULT})
_SERVICE = "/tartip.reports.v1.Routing/"
_ADMINISTRATORS = allow(roles=("personnel_administrator",), services=("tartip-cli",))
_READERS = allow(
    roles=("personnel_administrator", "supervisor", "auditor"), services=("tartip-cli",)
)
POLICY: Policy = {
    f"{_SERVICE}DraftRouting": _ADMINISTRATORS,
    f"{_SERVICE}ReplayRouting": _ADMINISTRATORS,
    f"{_SERVICE}ActivateRouting": _ADMINISTRATORS,
    f"{_SERVICE}GetRouting": _READERS,
    f"{_SERVICE}ListRoutings": _READERS,
    f"{_SERVICE}DryRunRouting": _READERS,
}


class RoutingApi(routing_pb2_grpc.RoutingServicer):
    def __init__(self, versions: RoutingVersions, pages: Pages, clock: Clock) -> None:
        self._versions = versions
        self._pages = pages
        self._clock = clock

    async def DraftRouting(
        self, request: pb.DraftRoutingRequest, context: Context
    ) -> pb.DraftRoutingResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            check_text(check, "note", request.note, longest=NOTE_MAX)
            check.that(
                len(request.rules) <= RULES_MAX, "rules", f"at most {RULES_MAX}", code="BAD_REQUEST"
            )
            rules = tuple(
                _read_rule(check, f"rules[{number}].", given)
                for number, given in enumerate(request.rules[:RULES_MAX])
            )
            _check_names(check, rules)
        draft = Draft(rules, request.default_desk, request.note)
        if request.validate_only:
            await self._versions.check(draft, current_caller())
            return pb.DraftRoutingResponse()
        stated = await self._versions.draft(draft, asked_of(request_id, request))
        return pb.DraftRoutingResponse(routing=_to_proto(stated))

    async def GetRouting(
        self, request: pb.GetRoutingRequest, context: Context
    ) -> pb.GetRoutingResponse:
        version = request.version if request.HasField("version") else None
        stated = await self._versions.get(version, current_caller())
        return pb.GetRoutingResponse(routing=_to_proto(stated))

    async def ListRoutings(
        self, request: pb.ListRoutingsRequest, context: Context
    ) -> pb.ListRoutingsResponse:
        page = self._pages.read(request, current_caller())
        found = await self._versions.versions(
            before=_version_in(page.spec.after), size=page.spec.size, caller=current_caller()
        )
        return pb.ListRoutingsResponse(
            routings=[_to_proto(stated) for stated in found],
            next_page_token=page.next_token([(str(one.rules.version),) for one in found]),
        )

    async def DryRunRouting(
        self, request: pb.DryRunRoutingRequest, context: Context
    ) -> pb.DryRunRoutingResponse:
        version = request.version if request.HasField("version") else None
        facts = self._read_facts(request)
        routed = await self._versions.dry_run(version, facts, current_caller())
        return pb.DryRunRoutingResponse(
            version=routed.version,
            unit=routed.unit,
            rule=routed.rule,
            region=facts.region,
            passed=[
                pb.PassedRule(name=one.name, conditions=one.conditions) for one in routed.passed
            ],
        )

    async def ReplayRouting(
        self, request: pb.ReplayRoutingRequest, context: Context
    ) -> pb.ReplayRoutingResponse:
        return _moves_to_proto(await self._versions.replay(request.version, current_caller()))

    async def ActivateRouting(
        self, request: pb.ActivateRoutingRequest, context: Context
    ) -> pb.ActivateRoutingResponse:
        active_from: datetime | None = None
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            if request.HasField("active_from"):
                active_from = read_moment(check, "active_from", request.active_from)
        stated = await self._versions.activate(
            request.version, active_from, asked_of(request_id, request)
        )
        return pb.ActivateRoutingResponse(routing=_to_proto(stated))

    def _read_facts(self, request: pb.DryRunRoutingRequest) -> Facts:
        place, at = request.place, self._clock()
        region, abroad = place.region, False
        with checks() as check:
            category = CATEGORY_OF.get(request.category)
            check.that(
                category is not None, "category", "one of the kinds", code="CATEGORY_UNKNOWN"
            )
            if place.latitude or place.longitude:
                found = region_of(place.latitude, place.longitude)
                region, abroad = (found.code if found else region), found is None
            check.that(
                region in REGIONS,
                "place.region",
                "an ISO code such as KZ-75, or a point in Kazakhstan",
                code="REGION_UNKNOWN",
            )
            check_kato(check, "place.kato", place.kato, region)
            check.that(
                request.language in LANGUAGES, "language", "kk, ru or en", code="LANGUAGE_UNKNOWN"
            )
            if request.HasField("at"):
                at = read_moment(check, "at", request.at)
        return Facts(category or Category.OTHER, region, place.kato, request.language, at, abroad)


def _read_rule(check: Checks, at: str, given: pb.RoutingRule) -> Rule:
    check.that(
        _NAME.fullmatch(given.name) is not None and given.name not in _RESERVED,
        f"{at}name",
        f"1 to {NAME_MAX} lower-case letters, digits and hyphens; none of {sorted(_RESERVED)}",
    )
    known = all(one in CATEGORY_OF for one in given.categories)
    check.that(known, f"{at}categories", "kinds of reports", code="CATEGORY_UNKNOWN")
    known = all(one in CLASS_OF for one in given.classes)
    check.that(known, f"{at}classes", "open, protected or sealed")
    known = all(one in REGIONS for one in given.regions)
    check.that(known, f"{at}regions", "ISO codes such as KZ-75", code="REGION_UNKNOWN")
    known = all(region_of_kato(one) is not None for one in given.districts)
    check.that(known, f"{at}districts", "KATO codes of 9 digits", code="KATO_WRONG")
    known = all(one in LANGUAGES for one in given.languages)
    check.that(known, f"{at}languages", "kk, ru or en", code="LANGUAGE_UNKNOWN")
    for field in ("from_hour", "until_hour"):
        check.that(0 <= getattr(given, field) <= HOURS, f"{at}{field}", f"0 to {HOURS}")
    check.that(given.days in DAYS_OF, f"{at}days", "working days, days off, or all")
    check.that(bool(given.desk) != bool(given.unit), f"{at}desk", "a desk or a unit")
    return Rule(
        name=given.name,
        categories=frozenset(CATEGORY_OF[one] for one in given.categories if one in CATEGORY_OF),
        classes=frozenset(CLASS_OF[one] for one in given.classes if one in CLASS_OF),
        regions=frozenset(given.regions) & REGIONS.keys(),
        districts=tuple(given.districts),
        languages=frozenset(given.languages),
        from_hour=given.from_hour % HOURS,
        until_hour=given.until_hour % HOURS,
        days=DAYS_OF.get(given.days, RuleDays.ALL),
        desk=given.desk,
        unit=given.unit,
    )


def _check_names(check: Checks, rules: tuple[Rule, ...]) -> None:
    names: set[str] = set()
    for number, rule in enumerate(rules):
        check.that(rule.name not in names, f"rules[{number}].name", "a name of its own")
        names.add(rule.name)


def _to_proto(stated: Stated) -> pb.RoutingVersion:
    rules, version = stated.rules, stated.version
    return pb.RoutingVersion(
        version=rules.version,
        rules=[_rule_to_proto(rule) for rule in rules.rules],
        default_desk=rules.default_desk,
        note=version.note if version else "",
        drafted_at=to_timestamp(version.drafted_at) if version else None,
        replayed_at=to_timestamp(version.replayed_at) if version else None,
        active_from=to_timestamp(stated.active_from),
        active=stated.is_active,
    )


def _rule_to_proto(rule: Rule) -> pb.RoutingRule:
    return pb.RoutingRule(
        name=rule.name,
        categories=[CATEGORIES[one] for one in Category if one in rule.categories],
        classes=[CLASSES[one] for one in SecrecyClass if one in rule.classes],
        regions=sorted(rule.regions),
        districts=rule.districts,
        languages=sorted(rule.languages),
        from_hour=rule.from_hour,
        until_hour=rule.until_hour,
        days=DAYS[rule.days],
        desk=rule.desk,
        unit=rule.unit,
    )


def _moves_to_proto(moves: Moves) -> pb.ReplayRoutingResponse:
    return pb.ReplayRoutingResponse(
        since=to_timestamp(moves.since),
        replayed=moves.replayed,
        moved=moves.counts.total(),
        moves=[
            pb.MovedReports(
                from_unit=before,
                to_unit=after,
                count=count,
                numbers=moves.numbers.get((before, after)),
            )
            for (before, after), count in moves.counts.most_common()
        ],
    )


def _version_in(after: tuple[str, ...]) -> int | None:
    """Return the version in a page token, None for the first page. Raises PageTokenWrong."""
    if not after:
        return None
    if not after[0].isdecimal():
        raise PageTokenWrong
    return int(after[0])
