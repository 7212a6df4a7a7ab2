"""What the reports of a hub, and its silence, make of its cameras."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from camera_registry.model.children import Child, Children, Transition
from camera_registry.model.hubs import Report
from camera_registry.model.status import CameraStatus, State
from chassis.clock import new_id

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HUB = new_id()


def report(states: dict[UUID, State], at: datetime = NOW) -> Report:
    ids = np.frombuffer(b"".join(camera.bytes for camera in states), "S16")
    offsets = np.zeros(len(states), np.int64)
    return Report(HUB, 1, at, ids, np.array(list(states.values()), np.uint8), offsets)


def children(*cameras: UUID, **given: datetime | None) -> Children:
    return Children.of(Child(camera, State.UNHEARD, **given) for camera in cameras)  # type: ignore[arg-type]


def told(transitions: list[Transition]) -> dict[UUID, State]:
    return {each.camera_id: each.state for each in transitions}


def test_a_report_says_something_of_every_camera_of_the_hub() -> None:
    one, two, three = sorted(new_id() for _ in range(3))
    cameras = children(three, one, two)
    changes, foreign = cameras.follow(report({two: State.TAMPERED, one: State.ONLINE}), NOW)
    assert told(changes) == {
        one: State.ONLINE,
        two: State.TAMPERED,
        three: State.NOT_REPORTED,
    }
    assert foreign == 0 and all(each.changed_at == (NOW,) for each in changes)


def test_cameras_of_another_hub_are_counted_and_nothing_else() -> None:
    ours = new_id()
    cameras = children(ours)
    states = {new_id(): State.ONLINE, ours: State.ONLINE, new_id(): State.TAMPERED}
    changes, foreign = cameras.follow(report(states), NOW)
    assert told(changes) == {ours: State.ONLINE} and foreign == 2
    assert cameras.follow(report(states), NOW + SECOND) == ([], 2)


def test_a_hub_without_cameras_changes_nothing() -> None:
    assert children().follow(report({new_id(): State.ONLINE}), NOW) == ([], 1)
    assert children().fall_silent(NOW) == []


def test_ids_that_end_with_zero_bytes_are_kept_apart() -> None:
    low, high = UUID(int=1 << 96), UUID(int=1 << 104)
    cameras = children(low, high)
    changes, _ = cameras.follow(report({high: State.ONLINE, low: State.TAMPERED}), NOW)
    assert told(changes) == {low: State.TAMPERED, high: State.ONLINE}


def test_the_silence_of_a_hub_makes_all_that_it_reported_on_unknown_once() -> None:
    heard, unheard = new_id(), new_id()
    cameras = Children.of([Child(heard, State.ONLINE), Child(unheard, State.UNHEARD)])
    assert told(cameras.fall_silent(NOW)) == {heard: State.HUB_SILENT}
    assert cameras.fall_silent(NOW + MINUTE) == []
    assert State.HUB_SILENT.standing.status is CameraStatus.UNKNOWN


def test_an_ended_verification_degrades_only_what_works() -> None:
    works, gone = new_id(), new_id()
    cameras = children(works, gone, verified_until=NOW)
    states = {works: State.ONLINE, gone: State.UNREACHABLE}
    before, _ = cameras.follow(report(states), NOW - SECOND)
    assert told(before) == states
    after, _ = cameras.follow(report(states), NOW)
    assert told(after) == {works: State.VERIFICATION_ENDED}


def flap(cameras: Children, camera: UUID, seconds: int, *, begin: datetime = NOW) -> list[datetime]:
    """The hub reports once a second, each time the opposite; the moments of the changes."""
    moments = []
    for second in range(seconds):
        state = (State.ONLINE, State.UNREACHABLE)[second % 2]
        now = begin + second * SECOND
        changes, _ = cameras.follow(report({camera: state}, now), now)
        moments += [now] * len(changes)
    return moments


def test_flapping_once_a_second_makes_at_most_six_changes_an_hour() -> None:
    camera = new_id()
    cameras = children(camera)
    moments = flap(cameras, camera, 3 * 3600)
    assert most_within_an_hour(moments) <= 6
    assert cameras.states == [State.FLAPPING]


def most_within_an_hour(moments: list[datetime]) -> int:
    return max(sum(start <= each < start + HOUR for each in moments) for start in moments)


def test_who_flapped_recovers_when_its_reports_have_not_changed_for_a_while() -> None:
    camera = new_id()
    cameras = children(camera)
    flap(cameras, camera, 60)
    assert cameras.states == [State.FLAPPING]
    steady = report({camera: State.ONLINE})
    for minute in range(1, 75):
        cameras.follow(steady, NOW + minute * MINUTE)
    assert cameras.states == [State.ONLINE]


@pytest.mark.parametrize("seed", range(5))
def test_no_way_of_flapping_makes_more_than_six_changes_an_hour(seed: int) -> None:
    draw = random.Random(seed)
    camera = new_id()
    cameras = children(camera)
    now, moments = NOW, []
    for _ in range(3000):
        now += timedelta(seconds=draw.choice((1, 7, 60, 300, 900)))
        state = draw.choice((State.ONLINE, State.UNREACHABLE, State.TAMPERED))
        changes, _ = cameras.follow(report({camera: state}, now), now)
        moments += [now] * len(changes)
    assert most_within_an_hour(moments) <= 6


@pytest.mark.parametrize("seed", range(5))
def test_a_hub_that_comes_and_goes_makes_no_storm_either(seed: int) -> None:
    """Its cameras are UNKNOWN in between, and at last for longer than they need be."""
    draw = random.Random(seed)
    camera = new_id()
    cameras = children(camera)
    now, moments = NOW, []
    for _ in range(1000):
        now += timedelta(seconds=draw.choice((1, 60, 91)))
        changes, _ = cameras.follow(report({camera: State.ONLINE}, now), now)
        now += timedelta(seconds=draw.choice((90, 91, 600)))
        changes += cameras.fall_silent(now)
        moments += [now] * len(changes)
        assert cameras.states == [State.HUB_SILENT]
    assert most_within_an_hour(moments) <= 6


def test_a_large_hub_is_followed_as_a_small_one_is() -> None:
    many = [new_id() for _ in range(10_000)]
    cameras = children(*many)
    states = {camera: State.ONLINE for camera in many}
    assert len(cameras.follow(report(states), NOW)[0]) == len(many)
    assert cameras.follow(report(states), NOW + MINUTE)[0] == []
    assert Counter(told(cameras.fall_silent(NOW + HOUR)).values()) == {State.HUB_SILENT: 10_000}
    assert len(cameras.follow(report(states), NOW + HOUR + MINUTE)[0]) == len(many)


def test_changes_dated_after_a_clock_that_was_set_back_count_no_more() -> None:
    camera = new_id()
    cameras = Children.of([Child(camera, State.ONLINE, (NOW + HOUR,) * 6)])
    changes, _ = cameras.follow(report({camera: State.TAMPERED}), NOW)
    assert told(changes) == {camera: State.TAMPERED}
