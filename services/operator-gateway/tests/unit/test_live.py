"""Who gets which facts in which order, and how clients learn of those that they missed."""

from datetime import UTC, datetime

import pytest
from chassis.identity import Operator
from operator_gateway.events_routes import frame
from operator_gateway.live import (
    QUEUED_EVENTS,
    REPLAYED_EVENTS,
    FeedMessage,
    Listener,
    LiveEvent,
    LiveFeed,
    may_follow,
    may_know,
    read_position,
    write_position,
)

INSPECTOR = Operator("inspector-almaty", frozenset({"inspector"}), ("KZ-75",))
FINANCE = Operator("finance-1", frozenset({"finance"}), ("*",))
SECURITY = Operator("security-1", frozenset({"internal_security"}), ("*",))
EVERY_ROLE = frozenset(
    {
        "inspector",
        "dispatcher",
        "supervisor",
        "internal_security",
        "camera_administrator",
        "finance",
        "watchlist_officer",
        "auditor",
    }
)


def fact(
    sequence: int, *, region: str = "KZ-75", subject: str = "violations.v1.detected"
) -> LiveEvent:
    streams = {
        "violations": "VIOLATIONS",
        "fines": "FINES",
        "reports": "REPORTS",
        "cameras": "CAMERAS",
        "inference": "SIGHTINGS",
        "complaints": "REPORTS",
    }
    return LiveEvent(
        stream=streams[subject.split(".")[0]],
        sequence=sequence,
        subject=subject,
        aggregate=f"violation:{sequence}",
        region=region,
        at=datetime.now(UTC),
        story="ab",
    )


async def next_of(listener: Listener, count: int) -> list[FeedMessage]:
    found = [await listener.next(within_seconds=0.05) for _ in range(count)]
    return [one for one in found if one is not None]


async def all_of(listener: Listener) -> list[FeedMessage]:
    found: list[FeedMessage] = []
    while (one := await listener.next(within_seconds=0.05)) is not None:
        found.append(one)
    return found


def facts_in(messages: list[FeedMessage]) -> list[tuple[str, int]]:
    return [(one.event.stream, one.event.sequence) for one in messages if one.event]


@pytest.mark.parametrize(
    ("roles", "subject", "known"),
    [
        ({"inspector"}, "violations.v1.detected", True),
        ({"supervisor"}, "violations.v1.conflict_found", True),
        (EVERY_ROLE - {"supervisor"}, "violations.v1.conflict_found", False),
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
        ({"internal_security"}, "inference.v1.evidence_damaged", True),
        (EVERY_ROLE - {"internal_security"}, "inference.v1.evidence_damaged", False),
        ({"internal_security"}, "fines.v1.access_refused", True),
        (EVERY_ROLE - {"internal_security"}, "reports.v1.access_refused", False),
        (EVERY_ROLE - {"internal_security"}, "violations.v1.access_refused", False),
        (EVERY_ROLE - {"internal_security"}, "inference.v1.access_refused", False),
        (EVERY_ROLE - {"internal_security"}, "fines.v1.access_refused", False),
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
        feed.publish(fact(sequence))
    messages = await next_of(listener, 3)
    assert [one.event.sequence for one in messages if one.event] == [1, 2, 3]
    text = frame(messages[0])
    assert '"id": "1"' in text
    assert "event: fact" in text


async def test_a_slow_client_loses_the_oldest_and_is_told_how_many() -> None:
    feed = LiveFeed()
    listener = feed.listen(INSPECTOR)
    for sequence in range(1, QUEUED_EVENTS + 11):
        feed.publish(fact(sequence))
    first, second = await next_of(listener, 2)
    assert (first.kind, first.missed) == ("dropped", 10)
    assert second.event is not None
    assert second.event.sequence == 11


async def test_a_client_resumes_after_the_last_fact_it_had() -> None:
    feed = LiveFeed()
    for sequence in (1, 2, 3, 4):
        feed.publish(fact(sequence))
    messages = await next_of(feed.listen(INSPECTOR, {"VIOLATIONS": 2}), 3)
    assert [one.event.sequence for one in messages if one.event] == [3, 4]
    assert read_position(messages[-1].position)["VIOLATIONS"] == 4  # type: ignore[index]


SUPERVISOR = Operator("supervisor-1", frozenset({"supervisor"}), ("KZ-75",))


def two_streams(count: int) -> LiveFeed:
    """`count` facts of each of two streams, published in turns."""
    feed = LiveFeed()
    for sequence in range(1, count + 1):
        feed.publish(fact(sequence))
        feed.publish(fact(sequence, subject="fines.v1.issued"))
    return feed


async def test_resuming_from_the_beginning_gives_all_that_is_known_and_drops_nothing() -> None:
    feed = two_streams(QUEUED_EVENTS + 200)
    messages = await all_of(feed.listen(SUPERVISOR, {"VIOLATIONS": 0, "FINES": 0}))
    assert {one.kind for one in messages} == {"fact"}
    facts = facts_in(messages)
    assert len(facts) == len(set(facts)) == 2 * (QUEUED_EVENTS + 200)
    for stream in ("VIOLATIONS", "FINES"):
        assert [n for s, n in facts if s == stream] == list(range(1, QUEUED_EVENTS + 201))


async def test_resuming_in_the_middle_gives_exactly_the_rest_of_each_stream() -> None:
    feed = two_streams(128)
    first = await next_of(feed.listen(SUPERVISOR, {"VIOLATIONS": 0, "FINES": 0}), 100)
    position = read_position(first[-1].position)
    rest = await all_of(feed.listen(SUPERVISOR, position))
    assert sorted(facts_in(first) + facts_in(rest)) == sorted(
        (stream, number) for stream in ("VIOLATIONS", "FINES") for number in range(1, 129)
    )


async def test_what_was_told_as_dropped_is_not_told_again() -> None:
    """The position lies behind the lost facts, also where all of a stream were lost."""
    feed = LiveFeed()
    listener = feed.listen(SUPERVISOR)
    for sequence in range(1, 11):
        feed.publish(fact(sequence, subject="fines.v1.issued"))
    for sequence in range(1, QUEUED_EVENTS + 1):
        feed.publish(fact(sequence))
    dropped = (await next_of(listener, 1))[0]
    assert (dropped.kind, dropped.missed) == ("dropped", 10)
    position = read_position(dropped.position)
    assert position is not None and position["FINES"] == 10
    assert len(facts_in(await all_of(feed.listen(SUPERVISOR, position)))) == QUEUED_EVENTS


async def test_what_comes_during_a_replay_is_told_after_it() -> None:
    feed = two_streams(300)
    listener = feed.listen(SUPERVISOR, {"FINES": 0})
    await next_of(listener, 10)
    feed.publish(fact(301, subject="fines.v1.issued"))
    assert [n for _, n in facts_in(await all_of(listener))] == list(range(11, 302))


async def test_a_client_can_resume_before_it_was_told_anything() -> None:
    feed = two_streams(5)
    listener = feed.listen(SUPERVISOR)
    position = read_position(listener.position)
    feed.leave(listener)
    feed.publish(fact(6, subject="fines.v1.issued"))
    assert facts_in(await all_of(feed.listen(SUPERVISOR, position))) == [("FINES", 6)]


async def test_a_stream_made_anew_is_a_gap_for_those_who_follow_it_and_goes_on_from_its_start() -> (
    None
):
    feed = two_streams(50)
    listener = feed.listen(SUPERVISOR)
    feed.forget("FINES")
    first_message = await next_of(listener, 1)
    assert [one.kind for one in first_message] == ["gap"]
    position = read_position(first_message[0].position)
    feed.publish(fact(1, subject="fines.v1.issued"))
    assert facts_in(await all_of(feed.listen(SUPERVISOR, position))) == [("FINES", 1)]
    assert facts_in(await all_of(feed.listen(SUPERVISOR, {"FINES": 50}))) == [("FINES", 1)]


async def test_what_happened_to_reports_is_never_told_later() -> None:
    """A report that was told of may have been raised to a class its readers may not know of."""
    feed = LiveFeed()
    listener = feed.listen(SUPERVISOR)
    feed.publish(fact(1, subject="reports.v1.received"))
    assert facts_in(await all_of(listener)) == [("REPORTS", 1)]
    feed.publish(fact(2, subject="reports.v1.received"))
    for seen in (0, 1, 9):
        again = feed.listen(SUPERVISOR, {"REPORTS": seen})
        assert [one.kind for one in await all_of(again)] == ["gap"]
        assert "REPORTS.2-" in again.position
    nothing_missed = feed.listen(SUPERVISOR, {"REPORTS": 2})
    assert await all_of(nothing_missed) == []


async def test_a_client_is_told_of_a_gap_where_the_follower_went_on_without_some_reports() -> None:
    feed = LiveFeed()
    listener, finance = feed.listen(SUPERVISOR), feed.listen(FINANCE)
    feed.skip_to("REPORTS", 500)
    assert [one.kind for one in await all_of(listener)] == ["gap"]
    assert "REPORTS.500" in listener.position
    feed.skip_to("REPORTS", 500)
    assert await all_of(listener) == await all_of(finance) == []


async def test_a_hole_in_a_stream_that_is_not_for_this_operator_is_no_gap() -> None:
    feed = LiveFeed()
    for sequence in range(1, REPLAYED_EVENTS + 10):
        feed.publish(fact(sequence, subject="fines.v1.issued"))
    dispatcher = Operator("dispatcher-1", frozenset({"dispatcher"}), ("KZ-75",))
    assert not may_follow(dispatcher, "FINES")
    assert await all_of(feed.listen(dispatcher, {"FINES": 2, "REPORTS": 0})) == []


async def test_a_hole_in_what_is_kept_is_told() -> None:
    feed = LiveFeed()
    for sequence in range(1, REPLAYED_EVENTS + 10):
        feed.publish(fact(sequence))
    first = (await next_of(feed.listen(INSPECTOR, {"VIOLATIONS": 2}), 1))[0]
    assert first.kind == "gap"


async def test_a_position_from_a_lost_stream_is_a_gap() -> None:
    feed = LiveFeed()
    feed.publish(fact(7))
    feed.forget("VIOLATIONS")
    feed.publish(fact(1))
    messages = await next_of(feed.listen(INSPECTOR, {"VIOLATIONS": 7}), 1)
    assert messages[0].kind == "gap"


async def test_a_fact_heard_twice_is_told_once() -> None:
    feed = LiveFeed()
    listener = feed.listen(INSPECTOR)
    feed.publish(fact(5))
    feed.publish(fact(5))
    assert len(await next_of(listener, 2)) == 1


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
