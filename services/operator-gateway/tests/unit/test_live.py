"""Who is told what, in which order, and what is said of that which was not told."""

from datetime import UTC, datetime

import pytest
from chassis.identity import Operator
from operator_gateway.events_routes import frame
from operator_gateway.live import (
    QUEUED_EVENTS,
    REPLAYED_EVENTS,
    LiveEvent,
    LiveFeed,
    Told,
    may_know,
    read_position,
    write_position,
)

INSPECTOR = Operator("inspector-almaty", frozenset({"inspector"}), ("KZ-75",))
SECURITY = Operator("security-1", frozenset({"internal_security"}), ("*",))
EVERY_ROLE = frozenset({
    "inspector", "dispatcher", "supervisor", "internal_security", "camera_administrator",
    "finance", "watchlist_officer", "auditor",
})  # fmt: skip


def fact(
    sequence: int, *, region: str = "KZ-75", subject: str = "violations.v1.detected"
) -> LiveEvent:
    streams = {"violations": "VIOLATIONS", "fines": "FINES", "reports": "REPORTS",
               "cameras": "CAMERAS", "inference": "SIGHTINGS", "complaints": "REPORTS"}  # fmt: skip
    return LiveEvent(
        stream=streams[subject.split(".")[0]], sequence=sequence, subject=subject,
        aggregate=f"violation:{sequence}", region=region, at=datetime.now(UTC), story="ab",
    )  # fmt: skip


async def told(feed_listener: object, count: int) -> list[Told]:
    found = [await feed_listener.next(within_seconds=0.05) for _ in range(count)]  # type: ignore[attr-defined]
    return [one for one in found if one is not None]


@pytest.mark.parametrize(
    ("roles", "subject", "known"),
    [
        ({"inspector"}, "violations.v1.detected", True),
        ({"inspector"}, "reports.v1.received", False),
        ({"dispatcher"}, "reports.v1.received", True),
        ({"dispatcher"}, "violations.v1.detected", False),
        ({"finance"}, "fines.v1.paid", True),
        ({"finance"}, "violations.v1.confirmed", False),
        ({"watchlist_officer"}, "inference.v1.face_candidate", True),
        ({"inspector", "supervisor"}, "inference.v1.face_candidate", False),
        (EVERY_ROLE, "inference.v1.plate_read", False),
        (EVERY_ROLE, "complaints.v1.received", False),
        ({"auditor"}, "fines.v1.paid", False),
        ({"internal_security"}, "reports.v1.access_refused", True),
        ({"internal_security"}, "violations.v1.access_refused", True),
        ({"internal_security"}, "inference.v1.access_refused", True),
        (EVERY_ROLE - {"internal_security"}, "reports.v1.access_refused", False),
        (EVERY_ROLE - {"internal_security"}, "violations.v1.access_refused", False),
        (EVERY_ROLE - {"internal_security"}, "inference.v1.access_refused", False),
        ({"internal_security"}, "reports.v1.received", False),
    ],
)
def test_a_role_is_told_what_concerns_it(roles: set[str], subject: str, *, known: bool) -> None:
    assert may_know(Operator("x", frozenset(roles), ("*",)), fact(1, subject=subject)) is known


def test_another_regions_facts_are_not_told() -> None:
    assert not may_know(INSPECTOR, fact(1, region="KZ-71"))
    assert not may_know(INSPECTOR, fact(1, region=""))


async def test_facts_come_in_order_and_carry_ids_only() -> None:
    feed = LiveFeed()
    listener = feed.listen(INSPECTOR)
    for sequence in (1, 2, 3):
        feed.hear(fact(sequence))
    heard = await told(listener, 3)
    assert [one.event.sequence for one in heard if one.event] == [1, 2, 3]
    text = frame(heard[0])
    assert '"id": "1"' in text
    assert "event: fact" in text


async def test_a_slow_client_loses_the_oldest_and_is_told_how_many() -> None:
    feed = LiveFeed()
    listener = feed.listen(INSPECTOR)
    for sequence in range(1, QUEUED_EVENTS + 11):
        feed.hear(fact(sequence))
    first, second = await told(listener, 2)
    assert (first.kind, first.missed) == ("dropped", 10)
    assert second.event is not None
    assert second.event.sequence == 11


async def test_a_client_resumes_after_the_last_fact_it_had() -> None:
    feed = LiveFeed()
    for sequence in (1, 2, 3, 4):
        feed.hear(fact(sequence))
    heard = await told(feed.listen(INSPECTOR, {"VIOLATIONS": 2}), 3)
    assert [one.event.sequence for one in heard if one.event] == [3, 4]
    assert read_position(heard[-1].position)["VIOLATIONS"] == 4  # type: ignore[index]


async def test_a_hole_in_what_is_kept_is_told() -> None:
    feed = LiveFeed()
    for sequence in range(1, REPLAYED_EVENTS + 10):
        feed.hear(fact(sequence))
    first = (await told(feed.listen(INSPECTOR, {"VIOLATIONS": 2}), 1))[0]
    assert first.kind == "gap"


async def test_a_position_from_a_lost_stream_is_a_gap() -> None:
    feed = LiveFeed()
    feed.hear(fact(7))
    feed.forget("VIOLATIONS")
    feed.hear(fact(1))
    heard = await told(feed.listen(INSPECTOR, {"VIOLATIONS": 7}), 1)
    assert heard[0].kind == "gap"


async def test_a_fact_heard_twice_is_told_once() -> None:
    feed = LiveFeed()
    listener = feed.listen(INSPECTOR)
    feed.hear(fact(5))
    feed.hear(fact(5))
    assert len(await told(listener, 2)) == 1


async def test_a_closing_feed_lets_its_listeners_go() -> None:
    feed = LiveFeed()
    listener = feed.listen(SECURITY)
    feed.close()
    assert await listener.next(within_seconds=1) is None
    assert listener.closed
    assert feed.listen(SECURITY).closed


@pytest.mark.parametrize("text", ["", "x", "FINES", "FINES.x", "SECRETS.1", "FINES.1-", "F" * 300])
def test_a_wrong_position_is_none(text: str) -> None:
    assert read_position(text) is None


def test_a_position_reads_as_it_was_written() -> None:
    position = {"VIOLATIONS": 12, "CAMERAS": 3}
    assert read_position(write_position(position)) == position
