"""Routing rules are drafted, tried, replayed and made active; each report names what routed it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.storage import contents
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import personnel_pb2 as staff
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import routing_pb2 as routing

from .conftest import As, Register, complaint, draft, refused, until

# A region of which no other test has reports.
REGION, LATITUDE, LONGITUDE = "KZ-47", 43.65, 51.17
DISTRICT, ELSEWHERE = "471010000", "473600000"


@pytest_asyncio.fixture
async def clean(administrator: As) -> AsyncIterator[None]:
    """The rules of before are active again afterwards."""
    yield
    await activate(administrator, 0)


@pytest_asyncio.fixture
async def unit(administrator: As) -> str:
    """A desk of REGION that no table of the law has."""
    name = f"{REGION}-{new_id().hex[-10:]}"
    await put_desk(administrator, name)
    return name


async def put_desk(administrator: As, name: str, region: str = REGION, **changes: Any) -> None:
    given: dict[str, Any] = {
        "unit": name,
        "kind": staff.UNIT_KIND_DESK,
        "parent": region,
        "region": region,
        "name_kk": name,
        "name_ru": name,
        "valid_from": after(days=-1),
    }
    unit = staff.Unit(**given | changes)
    request = staff.PutUnitRequest(request_id=str(new_id()), unit=unit)
    await administrator.of_personnel("PutUnit", request)


def after(**passed: float) -> Timestamp:
    return to_timestamp(system_clock() + timedelta(**passed))


def rule(**changes: Any) -> routing.RoutingRule:
    given: dict[str, Any] = {
        "name": "a-rule",
        "categories": [pb.CATEGORY_TRAFFIC_VIOLATION],
        "regions": [REGION],
    }
    return routing.RoutingRule(**given | changes)


def drafted(*rules: routing.RoutingRule, **changes: Any) -> routing.DraftRoutingRequest:
    given = {"request_id": str(new_id()), "rules": rules, "default_desk": "manual"}
    return routing.DraftRoutingRequest(**given | changes)


async def store(administrator: As, *rules: routing.RoutingRule) -> int:
    answer = await administrator.of_routing("DraftRouting", drafted(*rules))
    return int(answer.routing.version)


async def replay(by: As, version: int) -> routing.ReplayRoutingResponse:
    request = routing.ReplayRoutingRequest(version=version)
    answer: routing.ReplayRoutingResponse = await by.of_routing("ReplayRouting", request)
    return answer


async def activate(by: As, version: int, **changes: Any) -> routing.RoutingVersion:
    request = routing.ActivateRoutingRequest(request_id=str(new_id()), version=version, **changes)
    answer: routing.ActivateRoutingResponse = await by.of_routing("ActivateRouting", request)
    return answer.routing


def a_place(kato: str = "", region: str = REGION) -> common_pb2.Place:
    return common_pb2.Place(latitude=LATITUDE, longitude=LONGITUDE, region=region, kato=kato)


def placed(kato: str = "", **changes: Any) -> pb.OpenReportRequest:
    return draft(place=a_place(kato), **changes)


async def note_of(db: Database, report_id: str) -> str:
    """The note of the step in which a report was routed."""
    async with db.begin(SYSTEM) as tx:
        key = await contents.report_key(tx, UUID(report_id))
        steps = await contents.steps_of(tx, UUID(report_id), key)
    [note] = [step.note for step in steps if step.actor == "system"]
    return note


async def test_an_active_rule_routes_and_the_reports_step_names_it(
    administrator: As, register: Register, unit: str, clean: None, db: Database
) -> None:
    version = await store(administrator, rule(name="in-aktau", unit=unit, districts=[DISTRICT]))
    await replay(administrator, version)
    assert (await activate(administrator, version)).active
    report_id, receipt = await register(placed(DISTRICT))
    assert receipt.unit == unit
    assert await note_of(db, report_id) == f"{unit}: rule in-aktau of version {version}"
    report_id, receipt = await register(placed(ELSEWHERE))
    assert receipt.unit == f"{REGION}-manual"
    assert await note_of(db, report_id) == f"{REGION}-manual: rule default of version {version}"
    _, receipt = await register(complaint(place=a_place()))
    assert receipt.unit == "internal-security"


async def test_without_rules_of_ones_own_version_0_routes(
    register: Register, administrator: As, db: Database
) -> None:
    active = (await administrator.of_routing("GetRouting", routing.GetRoutingRequest())).routing
    assert (active.version, active.active, active.default_desk) == (0, True, "manual")
    report_id, receipt = await register(placed())
    assert receipt.unit in (f"{REGION}-traffic", f"{REGION}-duty")
    note = await note_of(db, report_id)
    assert note.startswith(f"{receipt.unit}: rule traffic-violation-")
    assert note.endswith(" of version 0")


async def test_a_planned_version_is_active_from_its_moment_on(
    administrator: As, register: Register, unit: str, clean: None
) -> None:
    version = await store(administrator, rule(unit=unit))
    await replay(administrator, version)
    starts = system_clock() + timedelta(seconds=3)
    planned = await activate(administrator, version, active_from=to_timestamp(starts))
    assert not planned.active
    _, before = await register(placed())
    assert before.unit != unit

    async def is_routed_by_it() -> bool:
        _, receipt = await register(placed())
        return bool(receipt.unit == unit)

    await until(is_routed_by_it)
    assert system_clock() >= starts


async def test_all_that_is_wrong_in_a_draft_is_named_at_once_and_nothing_is_stored(
    administrator: As,
) -> None:
    wrong = drafted(
        rule(name="No Name", desk="duty"),
        rule(categories=[99], regions=["KZ-99"], districts=["12"], languages=["de"], desk="duty"),
        rule(name="hours", from_hour=25, desk="duty", unit="KZ-47-duty"),
        default_desk="manual",
    )
    refusal = await refused(administrator.of_routing("DraftRouting", wrong))
    assert {(one.field, one.code) for one in refusal.fields} == {
        ("rules[0].name", "BAD_REQUEST"),
        ("rules[1].categories", "CATEGORY_UNKNOWN"),
        ("rules[1].regions", "REGION_UNKNOWN"),
        ("rules[1].districts", "KATO_WRONG"),
        ("rules[1].languages", "LANGUAGE_UNKNOWN"),
        ("rules[2].from_hour", "BAD_REQUEST"),
        ("rules[2].desk", "BAD_REQUEST"),
    }
    violence = [pb.CATEGORY_DOMESTIC_VIOLENCE, pb.CATEGORY_INCIDENT_WITH_CHILD]
    wrong = drafted(
        rule(name="one", categories=violence, desk="traffic"),
        rule(name="two", categories=[pb.CATEGORY_COMPLAINT_ABOUT_OFFICER], desk="duty"),
        rule(name="three", categories=[], desk="traffic"),
        rule(name="four", desk="nowhere"),
        rule(name="five", unit="KZ-75-traffic"),
        default_desk="traffic",
        validate_only=True,
    )
    refusal = await refused(administrator.of_routing("DraftRouting", wrong))
    assert {(one.field, one.code) for one in refusal.fields} == {
        ("rules[0].desk", "UNIT_NOT_FOR_CATEGORY"),
        ("rules[1].desk", "UNIT_NOT_FOR_CATEGORY"),
        ("rules[2].desk", "UNIT_NOT_FOR_CATEGORY"),
        ("rules[3].desk", "UNIT_UNKNOWN"),
        ("rules[4].regions", "UNIT_OF_ANOTHER_REGION"),
        ("default_desk", "UNIT_NOT_FOR_CATEGORY"),
    }
    right = drafted(rule(desk="duty"), validate_only=True)
    before = await listed(administrator)
    answer = await administrator.of_routing("DraftRouting", right)
    assert not answer.HasField("routing") and await listed(administrator) == before


async def listed(by: As) -> list[int]:
    answer = await by.of_routing("ListRoutings", routing.ListRoutingsRequest())
    return [one.version for one in answer.routings]


async def test_a_draft_is_stored_once_and_shown_as_it_was_given(administrator: As) -> None:
    given = drafted(
        rule(
            name="whole",
            categories=[pb.CATEGORY_INCIDENT],
            classes=[routing.SECRECY_CLASS_OPEN],
            districts=[DISTRICT],
            languages=["kk", "ru"],
            from_hour=20,
            until_hour=8,
            days=routing.RULE_DAYS_OFF,
            desk="duty",
        ),
        note="The night desk is nearer.",
    )
    stored = (await administrator.of_routing("DraftRouting", given)).routing
    assert (await administrator.of_routing("DraftRouting", given)).routing == stored
    asked = routing.GetRoutingRequest(version=stored.version)
    shown = (await administrator.of_routing("GetRouting", asked)).routing
    assert shown == stored and list(shown.rules) == list(given.rules)
    assert (shown.note, shown.active, shown.HasField("replayed_at")) == (given.note, False, False)
    assert (await listed(administrator))[0] == stored.version
    given.note = "Another."
    assert (await refused(administrator.of_routing("DraftRouting", given))).code == "ID_REUSED"


async def test_a_dry_run_says_which_rule_would_take_it_and_why_those_before_do_not(
    administrator: As,
) -> None:
    version = await store(
        administrator,
        rule(name="kazakh-night", languages=["kk"], from_hour=20, until_hour=8, desk="duty"),
        rule(name="in-district", districts=[ELSEWHERE], desk="order"),
        rule(name="the-rest", desk="traffic"),
    )
    request = routing.DryRunRoutingRequest(
        version=version,
        category=pb.CATEGORY_TRAFFIC_VIOLATION,
        place=a_place(DISTRICT, region=""),
        language="ru",
        at=to_timestamp(system_clock().replace(hour=5)),
    )
    found = await administrator.of_routing("DryRunRouting", request)
    assert (found.unit, found.rule, found.region) == (f"{REGION}-traffic", "the-rest", REGION)
    assert [(one.name, list(one.conditions)) for one in found.passed] == [
        ("kazakh-night", ["languages", "hours"]),
        ("in-district", ["districts"]),
    ]
    request.version = 10**9
    missing = await refused(administrator.of_routing("DryRunRouting", request))
    assert missing.code == "ROUTING_NOT_FOUND"
    wrong = routing.DryRunRoutingRequest(category=99, language="de")  # type: ignore[arg-type]
    fields = (await refused(administrator.of_routing("DryRunRouting", wrong))).fields
    assert {one.field for one in fields} == {"category", "place.region", "language"}


async def test_a_replay_tells_what_would_move_but_not_the_numbers_of_protected_reports(
    administrator: As, as_: Callable[..., As], register: Register, unit: str
) -> None:
    _, traffic = await register(placed(DISTRICT))
    _, elsewhere = await register(placed(ELSEWHERE))
    _, violence = await register(placed(DISTRICT, category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    version = await store(
        administrator,
        rule(name="traffic", unit=unit, districts=[DISTRICT]),
        rule(name="violence", categories=[pb.CATEGORY_DOMESTIC_VIOLENCE], desk="duty"),
        rule(name="by-day", from_hour=8, until_hour=20, desk="traffic"),
        rule(name="by-night", desk="duty"),
    )
    counted = await replay(administrator, version)
    assert counted.moved and not any(one.numbers for one in counted.moves)
    found = await replay(as_("tartip-cli", kind="service"), version)
    moves = {(one.from_unit, one.to_unit): one for one in found.moves}
    moved = moves[traffic.unit, unit]
    assert traffic.number in moved.numbers and elsewhere.number not in moved.numbers
    protected = moves[violence.unit, f"{REGION}-duty"]
    assert protected.count >= 1
    assert violence.number not in [number for one in found.moves for number in one.numbers]
    assert found.moved == sum(one.count for one in found.moves) <= found.replayed
    asked = routing.GetRoutingRequest(version=version)
    shown = (await administrator.of_routing("GetRouting", asked)).routing
    assert shown.HasField("replayed_at")
    # What routed them so far would move nothing.
    again = await replay(as_("tartip-cli", kind="service"), 0)
    numbers = [number for one in again.moves for number in one.numbers]
    assert not {traffic.number, elsewhere.number} & set(numbers)


async def test_a_version_is_active_only_after_a_replay_and_not_in_the_past(
    administrator: As, clean: None
) -> None:
    version = await store(administrator, rule(desk="duty"))
    refusal = await refused(activate(administrator, version))
    assert refusal.code == "ROUTING_NOT_REPLAYED"
    await replay(administrator, version)
    past = to_timestamp(system_clock() - timedelta(hours=1))
    refusal = await refused(activate(administrator, version, active_from=past))
    assert [one.field for one in refusal.fields] == ["active_from"]
    refusal = await refused(activate(administrator, 10**9))
    assert refusal.code == "ROUTING_NOT_FOUND"


async def test_a_version_whose_unit_has_ended_is_not_made_active(
    administrator: As, unit: str, clean: None
) -> None:
    version = await store(administrator, rule(unit=unit))
    await replay(administrator, version)
    await put_desk(administrator, unit, valid_until=after(minutes=-1))
    refusal = await refused(activate(administrator, version))
    assert [(one.field, one.code) for one in refusal.fields] == [("rules[0].unit", "UNIT_UNKNOWN")]


@pytest.mark.parametrize("method", ["DraftRouting", "ReplayRouting", "ActivateRouting"])
async def test_only_administrators_change_rules(as_: Callable[..., As], method: str) -> None:
    request = getattr(routing, f"{method}Request")()
    for operator in ("dispatcher-almaty", "supervisor-almaty", "security-1", "auditor-1"):
        refusal = await refused(as_(operator=operator).of_routing(method, request))
        assert refusal.code == "NOT_ALLOWED"
    refusal = await refused(as_("kaspi").of_routing(method, request))
    assert refusal.code == "NOT_ALLOWED"


async def test_a_desk_of_ones_own_takes_reports_by_hand_but_not_protected_ones(
    administrator: As, dispatcher: As, register: Register, kaspi: As
) -> None:
    own = f"KZ-75-{new_id().hex[-10:]}"
    await put_desk(administrator, own, "KZ-75")
    report_id, _ = await register()
    request = pb.RouteReportRequest(report_id=report_id, unit=own, reason="It lies there.")
    routed = await dispatcher.at_desk("RouteReport", request)
    assert routed.report.unit == own
    # The app is told that another unit has it now (APPC 65).
    own_report = await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))
    assert own_report.report.unit == own
    told = []
    async for change in kaspi.watch("0"):
        told += [change.status] if change.report_id == report_id else []
        if len(told) == 3:
            break
    assert told[1:] == [pb.REPORT_STATUS_ROUTED, pb.REPORT_STATUS_ROUTED]
    report_id, _ = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    for target in (own, "KZ-75-traffic"):
        request = pb.RouteReportRequest(report_id=report_id, unit=target, reason="Nearer.")
        refusal = await refused(dispatcher.at_desk("RouteReport", request))
        assert refusal.code == "UNIT_UNKNOWN"
