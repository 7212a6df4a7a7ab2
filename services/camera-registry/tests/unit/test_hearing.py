"""When heartbeats may have been missed, and how they are dated and collected."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from camera_registry import hearing
from camera_registry.consumers import HeartbeatListener
from camera_registry.hearing import AHEAD_MAX, Dated, Folded, Hearing, Look, dated
from camera_registry.model.camera import SILENCE, CameraStatus, verdict_on_silence
from chassis.clock import new_id, to_timestamp
from tartip.cameras.v1 import events_pb2

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST = Look(NOW, monotonic=50.0, connected=True, reconnects=0, lost=0)
SECOND_LATER = replace(FIRST, at=NOW + SECOND, monotonic=51.0)


def test_a_listener_that_has_just_begun_has_missed_what_came_before() -> None:
    hearing_state = Hearing()
    assert hearing_state.since is None
    assert hearing_state.look(FIRST)
    assert hearing_state.since == NOW


def test_nothing_is_missed_while_all_goes_well() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    for seconds in range(1, 600):
        look = replace(FIRST, at=NOW + seconds * SECOND, monotonic=50.0 + seconds)
        assert hearing_state.look(look) == ""
    assert hearing_state.since == NOW


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the broker was away between two looks", {"reconnects": 1}),
        ("heartbeats were lost", {"lost": 1}),
        (
            "its own loop stood still",
            {"at": NOW + 11 * SECOND, "monotonic": 61.0},
        ),
        ("its clock was set forward", {"at": NOW + timedelta(hours=1)}),
        ("its clock was set back", {"at": NOW - timedelta(hours=1)}),
    ],
)
def test_who_was_deaf_begins_to_listen_anew(what: str, change: dict[str, Any]) -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    look = replace(SECOND_LATER, **change)
    assert hearing_state.look(look), what
    assert hearing_state.since == look.at


def test_while_the_broker_is_away_nothing_is_heard() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    away = replace(SECOND_LATER, connected=False)
    assert hearing_state.look(away) and hearing_state.since is None
    back = replace(away, at=NOW + 2 * SECOND, monotonic=52.0, connected=True, reconnects=1)
    assert hearing_state.look(back) and hearing_state.since == back.at


def test_a_new_subscription_has_missed_what_came_before_it() -> None:
    hearing_state = Hearing()
    hearing_state.look(FIRST)
    hearing_state.begin()
    hearing_state.look(SECOND_LATER)
    assert hearing_state.since == SECOND_LATER.at


@pytest.mark.parametrize(
    ("hears_since", "status"),
    [
        (None, CameraStatus.UNKNOWN),
        (NOW - SILENCE + SECOND, CameraStatus.UNKNOWN),
        (NOW - SILENCE, CameraStatus.OFFLINE),
    ],
)
def test_a_silence_proves_only_what_was_listened_to(
    hears_since: datetime | None, status: CameraStatus
) -> None:
    assert verdict_on_silence(hears_since, NOW, SILENCE) is status


@pytest.mark.parametrize(
    ("sent_at", "outcome"),
    [
        (NOW, Dated.WELL),
        (NOW + AHEAD_MAX, Dated.WELL),
        (NOW + AHEAD_MAX + SECOND, Dated.AHEAD),
        (NOW + timedelta(days=1), Dated.AHEAD),
        (NOW - SILENCE + SECOND, Dated.WELL),
        (NOW - SILENCE, Dated.BEHIND),
    ],
)
def test_a_heartbeat_is_bounded_both_ways_against_its_arrival(
    sent_at: datetime, outcome: Dated
) -> None:
    assert dated(sent_at, NOW, silence=SILENCE) is outcome


def test_of_several_signs_of_life_the_latest_is_folded() -> None:
    folded, camera = Folded(), new_id()
    for seconds in (1, 3, 2):
        assert folded.add(camera, "KZ-75", NOW + seconds * SECOND)
    assert folded.take() == {camera: ("KZ-75", NOW + 3 * SECOND)}
    assert folded.take() == {}


def test_what_finds_no_room_is_told_and_what_is_known_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "FOLDED_MAX", 2)
    folded, known = Folded(), new_id()
    assert folded.add(known, "KZ-75", NOW) and folded.add(new_id(), "KZ-75", NOW)
    assert not folded.add(new_id(), "KZ-75", NOW)
    assert folded.add(known, "KZ-75", NOW + SECOND)


def test_a_heartbeat_has_one_outcome_and_what_finds_no_room_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "FOLDED_MAX", 1)
    watch = SimpleNamespace(silence=SILENCE)
    listener = HeartbeatListener(cast(Any, None), cast(Any, watch), lambda: NOW)
    beat = events_pb2.CameraHeartbeat(sent_at=to_timestamp(NOW))
    for _ in range(2):
        beat.camera_id = str(new_id())
        listener._hear(
            cast(
                Any,
                SimpleNamespace(data=beat.SerializeToString(), subject="cameras.heartbeats.KZ-75"),
            )
        )
    assert listener._outcomes == {"heard": 1, "lost": 1}
