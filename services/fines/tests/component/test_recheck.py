"""Issued fines that today's guards would hold are named; nothing about them changes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from chassis.channels import refusals_of
from chassis.identity import Caller, Operator
from chassis.refusals import Refusal
from fines.model.refusals import VehicleRegisterAway
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2 as pb
from tartip.fines.v1 import fines_pb2_grpc
from tartip.violations.v1 import violations_pb2

from .bench import Bench
from .conftest import SERVICE, As
from .facts import FIRM, Vehicles, ownership, under_another_id

COMMAND_LINE = Caller("service", "tartip-cli", purpose="recheck")


def supervisor(*regions: str) -> Caller:
    operator = Operator("supervisor-1", frozenset({"supervisor"}), regions)
    return Caller("service", "operator-gateway", operator, "recheck")


async def test_a_fine_without_fault_is_looked_at_and_nothing_is_said(
    bench: Bench, plate: str
) -> None:
    fine = await bench.issued(bench.violation(plate))
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert (found.fine, found.holds, found.conflicts) == (fine, (), ())


async def test_the_owner_at_that_date_is_compared_with_whom_was_fined(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    fine = await bench.issued(bench.violation(plate))
    vehicles.put(plate, ownership("890101300012"))
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("OWNER_DIFFERS",)
    vehicles.put(plate, ownership(FIRM))
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("OWNER_KIND_DIFFERS", "OWNER_DIFFERS")
    vehicles.put(plate)
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("OWNER_NOT_FOUND",)
    assert await bench.fine(fine.number) == fine


async def test_facts_that_would_be_held_today_name_every_reason(bench: Bench, plate: str) -> None:
    violation = bench.violation(plate)
    fine = await bench.issued(violation)
    violation.readings.speed_limit_kmh = 0
    violation.decision.officer = ""
    violation.device.verification_until.CopyFrom(violation.device.verification_from)
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("DECISION_MISSING", "DEVICE_NOT_VERIFIED", "SPEED_LIMIT_IMPLAUSIBLE")
    violation.state = violations_pb2.VIOLATION_STATE_ANNULLED
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("VIOLATION_NOT_CONFIRMED",)
    del bench.peer.known[violation.violation_id]
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert found.holds == ("VIOLATION_NOT_CONFIRMED",)
    assert await bench.fine(fine.number) == fine


async def test_of_two_fines_of_one_passage_the_one_issued_later_is_named(
    bench: Bench, plate: str, database: Any
) -> None:
    """As issued before fines were compared with each other: two ids, one passage."""
    moment = bench.clock.now - timedelta(hours=2)
    violation = bench.violation(plate, at=moment)
    first = await bench.issued(violation)
    bench.clock.now += timedelta(minutes=1)
    second = await issued_beside(bench, database, violation)
    bench.clock.now += timedelta(minutes=1)
    elsewhere = common_pb2.Place(latitude=51.16, longitude=71.44, region="KZ-71", address="x")
    astana = bench.violation(plate, at=moment + timedelta(seconds=2), place=elsewhere)
    third = await issued_beside(bench, database, astana, same_facts=False)
    found = await bench.rechecked(COMMAND_LINE)
    assert found[first.number].holds == ()
    assert found[second.number].holds == ("EVIDENCE_REUSED", "SAME_PASSAGE")
    assert found[second.number].conflicts == (first.number,)
    assert found[third.number].holds == ("IMPOSSIBLE_JOURNEY",)
    assert found[third.number].conflicts == (first.number, second.number)


async def test_a_fine_that_a_record_without_a_fine_contradicts_is_named(
    bench: Bench, plate: str
) -> None:
    """What contradicts it is held in violations and waits for review there."""
    moment = bench.clock.now - timedelta(hours=2)
    violation = bench.violation(plate, at=moment)
    await bench.issued(violation)
    elsewhere = common_pb2.Place(latitude=51.16, longitude=71.44, region="KZ-71", address="x")
    astana = bench.violation(plate, at=moment + timedelta(seconds=2), place=elsewhere)
    astana.state = violations_pb2.VIOLATION_STATE_REVIEW
    bench.peer.known[astana.violation_id] = astana
    violation.conflicting_violation_ids.append(astana.violation_id)
    (found,) = (await bench.rechecked(COMMAND_LINE)).values()
    assert (found.holds, found.conflicts) == (("IMPOSSIBLE_JOURNEY",), ())


async def test_cancelled_and_held_fines_are_not_rechecked_and_paid_ones_are(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    paid = await bench.delivered(plate)
    await bench.pay(paid.number, paid.amount.discounted_minor, paid.dates.delivered_on)
    vehicles.register("993CAN02")
    cancelled = bench.violation("993CAN02")
    await bench.issued(cancelled)
    await bench.annul(cancelled.violation_id)
    await bench.confirmed(bench.violation(plate))
    found = await bench.rechecked(COMMAND_LINE)
    assert [(number, one.fine.state.value) for number, one in found.items()] == [
        (paid.number, "paid")
    ]


async def test_each_fine_that_is_looked_at_stands_in_the_log_with_the_purpose(
    bench: Bench, plate: str, database: Any
) -> None:
    violation = bench.violation(plate)
    fine = await bench.issued(violation)
    await bench.rechecked(COMMAND_LINE)
    row = await database.fetchval(
        "SELECT convert_from(canonical, 'UTF8') FROM audit"
        " WHERE convert_from(canonical, 'UTF8') LIKE $1",
        f'%"action":"recheck"%fine:{fine.number}%',
    )
    assert '"actor":"service/tartip-cli"' in row and '"purpose":"recheck"' in row
    asked = [why for known, why in bench.peer.asked if known == violation.violation_id]
    assert asked == ["issue-fine", "recheck-fine"]


async def test_a_supervisor_rechecks_the_own_regions_and_sees_against_which_others(
    bench: Bench, plate: str, database: Any
) -> None:
    moment = bench.clock.now - timedelta(hours=2)
    first = await bench.issued(bench.violation(plate, at=moment))
    bench.clock.now += timedelta(minutes=1)
    elsewhere = common_pb2.Place(latitude=51.16, longitude=71.44, region="KZ-71", address="x")
    astana = bench.violation(plate, at=moment + timedelta(seconds=2), place=elsewhere)
    second = await issued_beside(bench, database, astana, same_facts=False)
    almaty_found = await bench.rechecked(supervisor("KZ-75"))
    assert set(almaty_found) == {first.number}
    astana_found = await bench.rechecked(supervisor("KZ-71"))
    assert astana_found[second.number].conflicts == (first.number,)
    assert await bench.rechecked(supervisor("KZ-71"), region="KZ-75") == {}


async def test_a_register_that_is_away_ends_the_recheck_instead_of_blaming_fines(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    await bench.issued(bench.violation(plate))
    vehicles.path.write_text("{")
    with pytest.raises(VehicleRegisterAway):
        await bench.rechecked(COMMAND_LINE)
    vehicles.register(plate)


async def test_the_stream_resumes_after_the_last_fine_that_was_received(
    a_fine: Any, as_: Callable[..., As]
) -> None:
    cli = as_("tartip-cli")
    whole = await rechecked(cli, pb.RecheckIssuedFinesRequest())
    numbers = [found.number for found in whole]
    assert a_fine["number"] in numbers and numbers == sorted(numbers)
    assert [found.remaining for found in whole] == list(range(len(whole)))[::-1]
    middle = whole[len(whole) // 2]
    rest = await rechecked(cli, pb.RecheckIssuedFinesRequest(resume_token=middle.resume_token))
    assert [found.number for found in rest] == numbers[len(whole) // 2 + 1 :]
    found = next(one for one in whole if one.number == a_fine["number"])
    assert found.amount.amount_minor == a_fine["amount_minor"]
    assert (found.region, found.state) == ("KZ-75", pb.FINE_STATE_DELIVERED)


@pytest.mark.parametrize(
    ("caller", "chosen", "request_", "reason"),
    [
        ("tartip-cli", {"purpose": ""}, {}, "PURPOSE_REQUIRED"),
        ("operator-gateway", {"operator": "inspector-almaty"}, {}, "NOT_ALLOWED"),
        ("operator-gateway", {"operator": "finance-1"}, {}, "NOT_ALLOWED"),
        ("kaspi", {"kind": "partner"}, {}, "NOT_ALLOWED"),
        ("violations", {}, {}, "NOT_ALLOWED"),
        ("tartip-cli", {}, {"resume_token": "x"}, "PAGE_TOKEN_WRONG"),
        ("tartip-cli", {}, {"region": "Almaty"}, "BAD_REQUEST"),
    ],
)
async def test_who_may_recheck_and_how_it_is_asked(
    as_: Callable[..., As], caller: str, chosen: Any, request_: Any, reason: str
) -> None:
    with pytest.raises(Refusal) as refused:
        await rechecked(as_(caller, **chosen), pb.RecheckIssuedFinesRequest(**request_))
    assert refused.value.reason == reason


async def test_supervisors_and_auditors_may_recheck(
    a_fine: Any, operator: Callable[[str], As]
) -> None:
    for name in ("supervisor-almaty", "auditor-1"):
        found = await rechecked(operator(name), pb.RecheckIssuedFinesRequest(region="KZ-75"))
        assert a_fine["number"] in [one.number for one in found]


async def rechecked(
    caller: As, request: pb.RecheckIssuedFinesRequest
) -> list[pb.RecheckIssuedFinesResponse]:
    channel: grpc.aio.Channel = caller.channels.to(caller.address, SERVICE)
    stub = fines_pb2_grpc.FinesStub(channel)
    answers = stub.RecheckIssuedFines(request, timeout=60, metadata=caller.metadata)
    return [found async for found in refusals_of(answers)]


async def issued_beside(
    bench: Bench, database: Any, violation: violations_pb2.Violation, *, same_facts: bool = True
) -> Any:
    """A second fine as it could be issued before fines were compared with each other: it is issued
    on other facts, which are then put in the place of these."""
    innocent = under_another_id(violation) if same_facts else violation
    wanted = violations_pb2.Violation()
    wanted.CopyFrom(innocent)
    quiet = bench.violation(innocent.plate.text, at=bench.clock.now - timedelta(days=5))
    innocent.evidence_sha256[:] = quiet.evidence_sha256
    innocent.original_sha256[:] = quiet.original_sha256
    innocent.readings.frame_sha256 = quiet.readings.frame_sha256
    for stamp in (innocent.occurred_at, innocent.readings.device_time):
        stamp.CopyFrom(quiet.occurred_at)
    innocent.device.verification_from.CopyFrom(quiet.device.verification_from)
    fine = await bench.issued(innocent)
    assert fine.state.value == "issued"
    await database.execute(
        "UPDATE fines SET occurred_at = $2 WHERE number = $1",
        fine.number,
        wanted.occurred_at.ToDatetime(tzinfo=bench.clock.now.tzinfo),
    )
    await database.execute("DELETE FROM evidence WHERE number = $1", fine.number)
    bench.peer.known[wanted.violation_id] = wanted
    return await bench.fine(fine.number)
