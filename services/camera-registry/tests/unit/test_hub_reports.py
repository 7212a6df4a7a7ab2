"""Reports of hubs: how they are read, signed, dated and numbered."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from camera_registry.consumers import ReportListener, read_report
from camera_registry.model.hubs import (
    AHEAD_MAX,
    CAMERAS_MAX,
    GAP_MAX,
    HubLife,
    Outcome,
    is_signed,
    missed_between,
    outcome_of_date,
)
from camera_registry.model.status import State
from camera_registry.usecases.watch import TRANSITIONS_IN_EVENT, Followed
from chassis.clock import new_id
from google.protobuf.message import DecodeError
from tartip.cameras.v1 import events_pb2 as pb
from tartip_cli.clients.hub_reports import ReportingHub
from tartip_cli.provision.accounts import MAX_PAYLOAD_BYTES

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SILENCE = timedelta(seconds=90)


@pytest.mark.parametrize(
    ("sent_at", "outcome"),
    [
        (NOW, Outcome.HEARD),
        (NOW + AHEAD_MAX, Outcome.HEARD),
        (NOW + AHEAD_MAX + SECOND, Outcome.AHEAD),
        (NOW + timedelta(days=1), Outcome.AHEAD),
        (NOW - SILENCE + SECOND, Outcome.HEARD),
        (NOW - SILENCE, Outcome.BEHIND),
        (NOW - timedelta(minutes=4), Outcome.BEHIND),
    ],
)
def test_a_report_is_bounded_both_ways_against_its_arrival(
    sent_at: datetime, outcome: Outcome
) -> None:
    assert outcome_of_date(sent_at, NOW, SILENCE) is outcome


@pytest.mark.parametrize(
    ("last", "number", "missed"),
    [(0, 7, 0), (7, 8, 0), (7, 9, 1), (7, 8 + GAP_MAX, GAP_MAX), (7, 9 + GAP_MAX, 0)],
)
def test_a_gap_in_the_numbers_is_counted_unless_the_hub_began_anew(
    last: int, number: int, missed: int
) -> None:
    assert missed_between(last, number) == missed


def test_only_the_hub_itself_can_have_signed_its_report() -> None:
    hub, other = ReportingHub(), ReportingHub()
    signed = pb.SignedHubReport.FromString(hub.report({new_id(): 1}, NOW))
    assert is_signed(hub.public_key, signed.report, signed.signature)
    assert not is_signed(other.public_key, signed.report, signed.signature)
    assert not is_signed(hub.public_key, signed.report + b"\0", signed.signature)
    assert not is_signed(hub.public_key, signed.report, b"")


def report_of(**given: Any) -> bytes:
    hub = ReportingHub()
    message = pb.HubReport(hub_id=str(hub.hub_id), number=1, camera_ids=new_id().bytes * 2)
    message.sent_at.FromDatetime(NOW)
    message.MergeFrom(pb.HubReport(**given))
    return message.SerializeToString()


def test_conditions_and_clocks_become_states() -> None:
    ids = b"".join(new_id().bytes for _ in range(4))
    content = report_of(conditions=bytes([1, 1, 2, 3, 4, 1]), camera_ids=ids)
    message = pb.HubReport.FromString(content)
    message.camera_ids = ids + new_id().bytes * 2
    message.clock_offset_milliseconds.extend([2000, -2001, 9000, 0, 0, 2001])
    states = read_report(message.SerializeToString()).states.tolist()
    assert states == [
        State.ONLINE,
        State.CLOCK_OFF,
        State.UNREACHABLE,
        State.TAMPERED,
        State.PICTURE_STALE,
        State.CLOCK_OFF,
    ]


def test_the_largest_report_and_its_event_fit_into_a_message() -> None:
    clocks = [-(2**31)] * CAMERAS_MAX
    signed = ReportingHub().signed_ids(
        bytes(16) * CAMERAS_MAX, NOW, conditions=b"\1" * CAMERAS_MAX, clock_offsets=clocks
    )
    assert len(signed) < MAX_PAYLOAD_BYTES
    event = pb.CameraStatusChanged(
        camera_ids=bytes(16) * TRANSITIONS_IN_EVENT,
        statuses=bytes(TRANSITIONS_IN_EVENT),
        reasons=bytes(TRANSITIONS_IN_EVENT),
        versions=[10**6] * TRANSITIONS_IN_EVENT,
    )
    assert len(event.SerializeToString()) < MAX_PAYLOAD_BYTES


def test_without_conditions_all_cameras_of_a_report_work() -> None:
    assert read_report(report_of()).states.tolist() == [State.ONLINE] * 2


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("too few conditions", {"conditions": b"\x01"}),
        ("an unknown condition", {"conditions": b"\x01\x05"}),
        ("no condition", {"conditions": b"\x01\x00"}),
        ("too few clocks", {"clock_offset_milliseconds": [1]}),
        ("a part of an id", {"camera_ids": b"part"}),
        ("too many cameras", {"camera_ids": bytes(16) * (CAMERAS_MAX + 1)}),
        ("a negative number", {"number": -1}),
        ("no hub", {"hub_id": "no id"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_report_is_refused(why: str, given: dict[str, Any]) -> None:
    with pytest.raises((DecodeError, ValueError)):
        read_report(report_of(**given))
    with pytest.raises(DecodeError):
        read_report(b"\xff no report")


def test_each_report_has_one_outcome_counted_in_cameras() -> None:
    listener = ReportListener(
        cast(Any, None), cast(Any, SimpleNamespace(silence=SILENCE)), lambda: NOW
    )
    hub, stranger = ReportingHub(), ReportingHub()
    life = HubLife(hub.hub_id, "KZ-75", hub.public_key, 0, None, False, False, 0)
    listener._reports.hubs[hub.hub_id] = Followed(life)
    conditions = {new_id(): 1 for _ in range(3)}
    first = hub.report(conditions, NOW)
    forged = pb.SignedHubReport.FromString(first)
    forged.signature = bytes(64)
    hub.number += 2
    for message in (
        first,
        first,
        forged.SerializeToString(),
        hub.report(conditions, NOW),
        hub.report(conditions, NOW + timedelta(days=1)),
        hub.report(conditions, NOW - timedelta(minutes=4)),
        stranger.report(conditions, NOW),
        b"\xff no report",
    ):
        listener._hear(cast(Any, SimpleNamespace(data=message)))
    assert {name: count for name, count in listener._outcomes.items() if count} == {
        "heard": 6,
        "repeated": 3,
        "forged": 3,
        "missed": 6,
        "ahead": 3,
        "behind": 3,
        "unknown_hub": 3,
        "unreadable": 1,
    }
