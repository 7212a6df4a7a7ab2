"""One passage, one fine: decided by the facts, not by the ids under which they come."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.transaction import SYSTEM
from host.scheduler import WaitUntilDue
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import events_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2

from .bench import Bench
from .facts import REGION, Vehicles, under_another_id

ASTANA = common_pb2.Place(latitude=51.16, longitude=71.44, region="KZ-71", address="Sample 1")
TO_BE_ERASED, ERASED_BEFORE_THE_LETTER = "750101400010", "710607331642"
A_METRE = 1 / 111_195  # of latitude, in degrees


async def held(bench: Bench, violation: violations_pb2.Violation) -> tuple[str, tuple[str, ...]]:
    """Why its fine is held, and against which others."""
    number = await bench.confirmed(violation)
    with contextlib.suppress(WaitUntilDue):
        await bench.issuing.issue(number)
    fine = await bench.fine(number)
    assert fine.state.value == "awaiting"
    return fine.hold_reason, fine.conflicts


def north(metres: float) -> common_pb2.Place:
    latitude = 43.24 + metres * A_METRE
    return common_pb2.Place(latitude=latitude, longitude=76.95, region=REGION, address="Dostyk 7")


async def test_one_drive_is_one_fine(bench: Bench, plate: str, database: Any) -> None:
    fine = await bench.delivered(plate)
    for _ in range(2):  # the work comes again
        await bench.issuing.issue(fine.number)
        await bench.issuing.deliver(fine.number)
    count = "SELECT count(*) FROM fines WHERE plate_index = $1"
    assert await database.fetchval(count, fine.particulars.plate_index) == 1
    entries = "SELECT count(*) FROM entries WHERE number = $1"
    assert await database.fetchval(entries, fine.number) == 1


async def test_the_same_facts_under_two_ids_are_one_fine_and_one_that_is_held(
    bench: Bench, plate: str
) -> None:
    violation = bench.violation(plate)
    first = await bench.issued(violation)
    again = under_another_id(violation)
    assert first.state.value == "issued"
    assert await held(bench, again) == ("EVIDENCE_REUSED", (first.number,))


@pytest.mark.parametrize(("metres", "seconds"), [(0, 0), (1, 0), (-299, 59), (0, -60)])
async def test_two_cameras_in_a_row_record_one_passage(
    bench: Bench, plate: str, metres: float, seconds: float
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    first = await bench.issued(bench.violation(plate, at=moment))
    second = bench.violation(
        plate, at=moment + timedelta(seconds=seconds), place=north(metres), over_kmh=21.0
    )
    assert await held(bench, second) == ("SAME_PASSAGE", (first.number,))


async def test_two_brackets_of_one_passage_are_one_rule(bench: Bench, plate: str) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    first = await bench.issued(bench.violation(plate, at=moment))
    slower = bench.violation(
        plate,
        at=moment,
        over_kmh=20.0,
        offence=violations_pb2.Offence(code="SPEED_10_20", article="592(1)"),
    )
    assert await held(bench, slower) == ("SAME_PASSAGE", (first.number,))


async def test_another_rule_another_plate_and_another_hour_are_other_fines(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    moment = bench.clock.now - timedelta(hours=3)
    vehicles.register("994OTH02")
    later = moment + timedelta(hours=1)
    for violation in (
        bench.violation(plate, at=moment),
        a_red_light(bench, plate, at=moment),
        bench.violation("994OTH02", at=moment),
        bench.violation(plate, at=moment + timedelta(seconds=61)),
        bench.violation(plate, at=later, place=north(1000)),
    ):
        assert (await bench.issued(violation)).state.value == "issued"


async def test_one_frame_signed_again_is_fined_once(bench: Bench, plate: str) -> None:
    violation = bench.violation(plate, at=bench.clock.now - timedelta(hours=2))
    first = await bench.issued(violation)
    later = bench.violation(plate, at=bench.clock.now - timedelta(hours=1))
    later.original_sha256[0] = violation.original_sha256[0]  # the shown form may differ
    later.readings.frame_sha256 = violation.readings.frame_sha256
    assert await held(bench, later) == ("EVIDENCE_REUSED", (first.number,))


async def test_a_frame_stays_used_when_its_fine_is_cancelled(bench: Bench, plate: str) -> None:
    violation = bench.violation(plate)
    first = await bench.issued(violation)
    await bench.annul(violation.violation_id)
    again = under_another_id(violation)
    assert await held(bench, again) == ("EVIDENCE_REUSED", (first.number,))


async def test_a_passage_whose_fine_was_cancelled_may_be_fined_on_other_evidence(
    bench: Bench, plate: str
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    violation = bench.violation(plate, at=moment)
    await bench.issued(violation)
    await bench.annul(violation.violation_id)
    second = await bench.issued(bench.violation(plate, at=moment))
    assert second.state.value == "issued"


async def test_a_plate_in_two_cities_at_once_holds_the_second_until_the_first_is_cancelled(
    bench: Bench, plate: str
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    there = bench.violation(plate, at=moment)
    first = await bench.issued(there)
    here = bench.violation(plate, at=moment + timedelta(seconds=2), place=ASTANA)
    assert await held(bench, here) == ("IMPOSSIBLE_JOURNEY", (first.number,))
    assert await bench.state(first.number) == "issued"  # nothing cancels itself
    await bench.annul(there.violation_id)
    number = bench.numbers[-1]
    await bench.issuing.issue(number)
    issued = await bench.fine(number)
    assert (issued.state.value, issued.hold_reason, issued.conflicts) == ("issued", "", ())


async def test_what_is_confirmed_and_not_fined_yet_waits_for_the_record_that_contradicts_it(
    bench: Bench, plate: str
) -> None:
    """The other violation is held and has no fine to be compared with."""
    moment = bench.clock.now - timedelta(hours=1)
    there = bench.violation(plate, at=moment + timedelta(seconds=2), place=ASTANA)
    there.state, there.hold_reason = violations_pb2.VIOLATION_STATE_REVIEW, "IMPOSSIBLE_JOURNEY"
    bench.peer.known[there.violation_id] = there
    here = bench.violation(
        plate, at=moment, conflicting_violation_ids=[str(new_id()), there.violation_id]
    )
    assert await held(bench, here) == ("IMPOSSIBLE_JOURNEY", ())
    there.state = violations_pb2.VIOLATION_STATE_REJECTED
    await bench.issuing.issue(bench.numbers[-1])
    assert await bench.state(bench.numbers[-1]) == "issued"


@pytest.mark.parametrize(
    "differs",
    [
        {"source": violations_pb2.VIOLATION_SOURCE_CITIZEN, "hold_reason": "CITIZEN_EVIDENCE"},
        {"hold_reason": "DEVICE_CLOCK_BEHIND"},
        {"hold_reason": "DEVICE_DIFFERS"},
        {"state": violations_pb2.VIOLATION_STATE_ANNULLED},
        {"place": north(1)},
    ],
)
async def test_what_proves_nothing_holds_no_fine(
    bench: Bench, plate: str, differs: dict[str, Any]
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    held_there = {"state": violations_pb2.VIOLATION_STATE_REVIEW, "place": ASTANA}
    there = bench.violation(plate, at=moment, **held_there | differs)
    bench.peer.known[there.violation_id] = there
    here = bench.violation(plate, at=moment, conflicting_violation_ids=[there.violation_id])
    assert (await bench.issued(here)).state.value == "issued"


async def test_a_car_that_drove_from_one_city_to_the_other_is_fined_in_both(
    bench: Bench, plate: str
) -> None:
    moment = bench.clock.now - timedelta(hours=20)
    await bench.issued(bench.violation(plate, at=moment))
    later = bench.violation(plate, at=moment + timedelta(hours=12), place=ASTANA)
    assert (await bench.issued(later)).state.value == "issued"


async def test_what_waits_for_a_person_is_published_with_what_it_stands_against(
    bench: Bench, plate: str, database: Any
) -> None:
    violation = bench.violation(plate)
    first = await bench.issued(violation)
    again = under_another_id(violation)
    for _ in range(2):  # the same hold is told once
        await held(bench, again)
    rows = await database.fetch(
        "SELECT subject, version, payload FROM outbox WHERE aggregate = $1", bench.numbers[-1]
    )
    assert [(row["subject"], row["version"]) for row in rows] == [("fines.v1.held", 1)]
    told = events_pb2.FineHeld.FromString(rows[0]["payload"])
    assert (told.hold_reason, list(told.conflicting_numbers)) == (
        "EVIDENCE_REUSED",
        [first.number],
    )
    assert told.violation_id == again.violation_id


async def test_twenty_ids_of_one_passage_at_once_are_one_fine(
    bench: Bench, plate: str, database: Any
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    # The owner is known: nobody waits for the key of a new one, which would make one of them first.
    await bench.issued(bench.violation(plate, at=moment - timedelta(hours=5)))
    numbers = [await bench.confirmed(bench.violation(plate, at=moment)) for _ in range(20)]
    await asyncio.gather(*map(bench.issuing.issue, numbers))
    states = [await bench.state(number) for number in numbers]
    assert (states.count("issued"), states.count("awaiting")) == (1, 19)
    issued = numbers[states.index("issued")]
    held_numbers = [number for number in numbers if number != issued]
    for number in held_numbers:
        fine = await bench.fine(number)
        assert (fine.hold_reason, fine.conflicts) == ("SAME_PASSAGE", (issued,))
    entries = "SELECT count(*) FROM entries WHERE number = ANY($1::text[])"
    assert await database.fetchval(entries, numbers) == 1


async def test_two_plates_on_one_frame_at_once_are_one_fine(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    """One of two reads has the plate wrong: the frame can prove only one of them."""
    for round_ in range(5):
        first = bench.violation(plate, at=bench.clock.now - timedelta(hours=2 + round_))
        other = f"{800 + round_}OTH02"
        vehicles.register(other)
        second = under_another_id(first)
        second.plate.text = other
        numbers = [await bench.confirmed(violation) for violation in (first, second)]
        await asyncio.gather(*map(bench.issuing.issue, numbers))
        assert sorted([await bench.state(number) for number in numbers]) == ["awaiting", "issued"]


async def test_a_held_fine_leaves_nothing_of_its_issue(
    bench: Bench, plate: str, database: Any
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    await bench.issued(bench.violation(plate, at=moment))
    second = bench.violation(plate, at=moment)
    await held(bench, second)
    number = bench.numbers[-1]
    for table in ("entries", "evidence"):
        count = f"SELECT count(*) FROM {table} WHERE number = $1"
        assert await database.fetchval(count, number) == 0
    row = await database.fetchrow("SELECT * FROM fines WHERE number = $1", number)
    assert row["owner_index"] is None and row["amount_minor"] is None


async def test_a_place_that_went_with_an_erased_owner_is_taken_for_the_same(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    moment = bench.clock.now - timedelta(hours=1)
    vehicles.register(plate, number=TO_BE_ERASED)
    first = await bench.issued(bench.violation(plate, at=moment, place=north(5000)))
    await erase(bench, first)
    vehicles.register(plate)
    second = bench.violation(plate, at=moment + timedelta(seconds=10))
    assert await held(bench, second) == ("SAME_PASSAGE", (first.number,))
    vehicles.register(plate, number=TO_BE_ERASED)
    later = bench.violation(plate, at=moment + timedelta(minutes=5))
    assert await held(bench, later) == ("OWNER_ERASED", ())


async def test_a_fine_whose_owner_was_erased_before_the_letter_ends_with_the_term_to_send_it(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    vehicles.register(plate, number=ERASED_BEFORE_THE_LETTER)
    fine = await bench.issued(bench.violation(plate))
    await erase(bench, fine)
    with pytest.raises(LookupError):
        await bench.issuing.deliver(fine.number)
    bench.clock.now += timedelta(days=11)  # KoAP Art. 822-1(3): ten days from detection
    await bench.issuing.deliver(fine.number)
    assert await bench.state(fine.number) == "cancelled"


async def erase(bench: Bench, fine: Any) -> None:
    async with bench.db.begin(SYSTEM) as tx:
        await tx.keys.destroy(fine.particulars.key_id)


async def test_frames_of_fines_from_before_are_entered_from_what_is_sealed(
    bench: Bench, plate: str, database: Any
) -> None:
    violation = bench.violation(plate)
    first = await bench.issued(violation)
    await database.execute("DELETE FROM evidence WHERE number = $1", first.number)
    for _ in range(2):
        await bench.issuing.record_evidence(first.number)
    rows = await database.fetch("SELECT sha256 FROM evidence WHERE number = $1", first.number)
    assert {row["sha256"] for row in rows} == set(violation.evidence_sha256)
    assert len(rows) == len(violation.evidence_sha256)


def a_red_light(bench: Bench, plate: str, **chosen: Any) -> violations_pb2.Violation:
    found = bench.violation(plate, **chosen)
    found.offence.code, found.offence.article = "RED_LIGHT", "599(1)"
    found.device.kind = cameras_pb2.CAMERA_KIND_RED_LIGHT
    found.device.ClearField("tolerance_kmh")
    found.ClearField("over_kmh")
    for name in ("speed_kmh", "speed_limit_kmh"):
        found.readings.ClearField(name)
    found.readings.signal_phase = inference_pb2.SIGNAL_PHASE_RED
    found.readings.signal_age_seconds = 2.4
    found.readings.past_stop_line = True
    return found
