"""From a confirmed violation to a delivered fine: once, by the tables, or held by name."""

import stat
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from chassis.clock import system_clock
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import events_pb2 as facts
from tartip.fines.v1 import fines_pb2 as pb
from tartip.violations.v1 import violations_pb2

from .conftest import As, until
from .facts import STORY, Vehicles, ViolationsPeer, a_violation, annulled, confirmed, moment

Publish = Callable[..., Awaitable[str]]
FineOf = Callable[..., Awaitable[Any]]


async def test_a_confirmation_told_three_times_makes_one_fine(
    plate: str, peer: ViolationsPeer, publish: Publish, fine_of: FineOf, database: Any, service: str
) -> None:
    violation = a_violation(plate)
    peer.known[violation.violation_id] = violation
    event_id = await publish("confirmed", confirmed(violation))
    await publish("confirmed", confirmed(violation), event_id=event_id)
    for _ in range(3):  # under other ids too: a producer that published anew
        await publish("confirmed", confirmed(violation))
    row = await fine_of(violation)
    asked = [purpose for known, purpose in peer.asked if known == violation.violation_id]
    assert asked == ["issue-fine"]
    count = "SELECT count(*) FROM {} WHERE number = $1"
    assert await database.fetchval(count.format("entries"), row["number"]) == 1
    assert row["amount_minor"] == row["base_values"] * row["base_value_minor"]
    assert (row["article"], row["base_values"], row["story"]) == ("592(2)", 10, STORY)
    assert "koap-2026-03-12.2@sha256:" in row["tariff_version"]
    published = await database.fetch(
        "SELECT subject, version, story, payload FROM outbox WHERE aggregate = $1"
        " ORDER BY position",
        row["number"],
    )
    assert [(found["subject"], found["version"]) for found in published] == [
        ("fines.v1.issued", 1),
        ("fines.v1.delivered", 2),
    ]
    assert {found["story"] for found in published} == {STORY}
    issued = facts.FineIssued.FromString(published[0]["payload"])
    assert issued.violation_id == violation.violation_id
    assert issued.amount.amount_minor == row["amount_minor"]


def test_the_letter_lies_in_the_folder_once_and_for_its_owner_alone(
    a_fine: Any, plate: str, letters: Path
) -> None:
    path = letters / f"{a_fine['number']}.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert plate in text and "Test Owner" in text and "SN-1" in text and "Ed25519" in text
    assert abs(a_fine["delivered_at"].timestamp() - path.stat().st_mtime) < 0.001
    assert not list(letters.glob("*.draft"))


async def test_no_column_holds_the_owner_or_the_plate_in_clear(
    a_fine: Any, plate: str, database: Any
) -> None:
    for table in ("fines", "outbox", "audit", "work", "entries"):
        for row in await database.fetch(f"SELECT * FROM {table}"):
            for value in row.values():
                shown = value if isinstance(value, bytes) else str(value).encode()
                for secret in (plate, "900101300017", "Test Owner", "Abai 1"):
                    assert secret.encode() not in shown, (table, secret)


async def test_annulled_before_confirmed_leaves_a_tombstone(
    plate: str, peer: ViolationsPeer, publish: Publish, fine_of: FineOf, database: Any, service: str
) -> None:
    violation = a_violation(plate)
    peer.known[violation.violation_id] = violation
    await publish("annulled", annulled(violation))
    await fine_of(violation, "cancelled")
    event_id = await publish("confirmed", confirmed(violation))
    inbox = "SELECT 1 FROM inbox WHERE event_id = $1"
    await until(lambda: database.fetchval(inbox, event_id))
    row = await fine_of(violation, "cancelled")
    assert row["amount_minor"] is None
    assert not await database.fetchval("SELECT 1 FROM work WHERE key = $1", row["number"])
    assert not await database.fetchval("SELECT 1 FROM outbox WHERE aggregate = $1", row["number"])


async def test_an_annulment_cancels_what_was_delivered_and_tells_the_owner(
    a_fine: Any, publish: Publish, fine_of: FineOf, database: Any, letters: Path
) -> None:
    violation = violations_pb2.Violation(
        violation_id=a_fine["violation_id"], place=common_pb2.Place(region="KZ-75")
    )
    await publish("annulled", annulled(violation))
    await publish("annulled", annulled(violation))
    await fine_of(violation, "cancelled")
    kinds = await database.fetch(
        "SELECT kind FROM entries WHERE number = $1 ORDER BY position", a_fine["number"]
    )
    assert [row["kind"] for row in kinds] == ["issue", "cancellation"]

    async def notice() -> bool:
        return (letters / f"{a_fine['number']}.cancelled.html").exists()

    await until(notice)


async def test_an_unknown_owner_holds_the_fine_until_the_register_knows(
    peer: ViolationsPeer,
    publish: Publish,
    fine_of: FineOf,
    database: Any,
    vehicles: Vehicles,
    operator: Callable[[str], As],
) -> None:
    violation = a_violation("999NEW02")
    peer.known[violation.violation_id] = violation
    await publish("confirmed", confirmed(violation))
    await _held(database, violation, "OWNER_NOT_FOUND")
    inspector = operator("inspector-almaty")
    request = pb.ListFinesRequest(violation_id=violation.violation_id)
    (shown,) = (await inspector.call("ListFines", request)).fines
    assert (shown.state, shown.hold_reason) == (pb.FINE_STATE_AWAITING, "OWNER_NOT_FOUND")
    assert not shown.HasField("amount")
    vehicles.register("999NEW02")
    await database.execute(
        "UPDATE work SET due_at = $2 WHERE key = $1", shown.number, system_clock()
    )
    row = await fine_of(violation)
    assert row["hold_reason"] == ""


async def test_held_fines_are_listed_by_their_reason(
    peer: ViolationsPeer,
    publish: Publish,
    database: Any,
    a_fine: Any,
    operator: Callable[[str], As],
) -> None:
    violation = a_violation("992HLD02")
    peer.known[violation.violation_id] = violation
    await publish("confirmed", confirmed(violation))
    await _held(database, violation, "OWNER_NOT_FOUND")
    supervisor, page = operator("supervisor-almaty"), common_pb2.Page(size=200)

    async def listed(**wanted: Any) -> set[str]:
        answer = await supervisor.call("ListFines", pb.ListFinesRequest(page=page, **wanted))
        return {fine.violation_id for fine in answer.fines}

    everybody = {violation.violation_id, a_fine["violation_id"]}
    assert everybody <= await listed()
    assert everybody & await listed(held=True) == {violation.violation_id}
    assert everybody & await listed(hold_reason="OWNER_NOT_FOUND") == {violation.violation_id}
    assert everybody & await listed(hold_reason="OWNER_TOO_YOUNG") == set()
    refused = await supervisor.refused("ListFines", pb.ListFinesRequest(hold_reason="x"))
    assert [error.field for error in refused.fields] == ["hold_reason"]


async def test_two_owners_hold_the_fine(
    peer: ViolationsPeer, publish: Publish, database: Any, vehicles: Vehicles, service: str
) -> None:
    vehicles.register("998TWO02", times=2)
    violation = a_violation("998TWO02")
    peer.known[violation.violation_id] = violation
    await publish("confirmed", confirmed(violation))
    await _held(database, violation, "OWNER_NOT_UNIQUE")


async def test_what_the_law_forbids_is_held_by_name(
    plate: str, peer: ViolationsPeer, publish: Publish, database: Any, service: str
) -> None:
    now = system_clock()
    old = moment(now - timedelta(days=12))
    reasons = {
        "SENT_TOO_LATE": a_violation(plate, occurred_at=old),
        "LIMITATION_EXPIRED": a_violation(plate, occurred_at=moment(now - timedelta(days=70))),
        "CITIZEN_EVIDENCE_NEEDS_PROTOCOL": a_violation(
            plate, source=violations_pb2.VIOLATION_SOURCE_CITIZEN
        ),
        "ARTICLE_DIFFERS": a_violation(
            plate, offence=violations_pb2.Offence(code="SPEED_20_40", article="592(3)")
        ),
        "DEVICE_INCOMPLETE": a_violation(plate, device=violations_pb2.Device()),
    }
    for violation in reasons.values():
        peer.known[violation.violation_id] = violation
        await publish("confirmed", confirmed(violation))
    for reason, violation in reasons.items():
        await _held(database, violation, reason)
    held = [violation.violation_id for violation in reasons.values()]
    assert not await database.fetchval(
        "SELECT count(*) FROM fines WHERE violation_id = ANY($1) AND amount_minor IS NOT NULL", held
    )


async def _held(database: Any, violation: violations_pb2.Violation, reason: str) -> None:
    async def found() -> bool:
        query = "SELECT hold_reason FROM fines WHERE violation_id = $1"
        return bool(await database.fetchval(query, violation.violation_id) == reason)

    await until(found)
