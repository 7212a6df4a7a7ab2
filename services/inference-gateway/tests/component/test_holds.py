"""What a camera saw is held under an id that says nothing, and no operator learns of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import new_id, to_timestamp
from tartip.inference.v1 import inference_pb2 as pb

from .callers import As, refused

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Rows = Callable[[str], list[Any]]


def hold(caller: As, hold_id: str, camera_id: str, *, longer: timedelta = timedelta()) -> int:
    request = pb.HoldEvidenceRequest(
        hold_id=hold_id,
        camera_id=camera_id,
        held_from=to_timestamp(AT),
        held_until=to_timestamp(AT + timedelta(minutes=30) + longer),
    )
    answer: pb.HoldEvidenceResponse = caller.stub.HoldEvidence(request, timeout=10)
    return answer.frames


def release(caller: As, hold_id: str) -> None:
    caller.stub.ReleaseEvidence(pb.ReleaseEvidenceRequest(hold_id=hold_id), timeout=10)


def add_frame(rows: Rows, camera_id: str, at: datetime, *, evidence: str = "ab" * 32) -> None:
    stored = f"'{evidence}'" if evidence else "NULL"
    rows(
        "INSERT INTO frames (caller, frame_id, camera_id, region, captured_at, story,"
        f" evidence_sha256, result) VALUES ('test', '{new_id()}', '{camera_id}', 'KZ-75',"
        f" '{at.isoformat()}', '', {stored}, '')"
    )


def test_frames_of_the_camera_and_window_are_held_those_that_come_later_too(
    as_: Callable[..., As], rows: Rows
) -> None:
    owner, hold_id, camera_id = as_("citizen-reports"), str(new_id()), str(new_id())
    assert hold(owner, hold_id, camera_id) == 0, "a camera that nobody has heard of yet"
    for at in (AT, AT + timedelta(minutes=30)):
        add_frame(rows, camera_id, at)
    add_frame(rows, camera_id, AT - timedelta(seconds=1))
    add_frame(rows, camera_id, AT, evidence="")
    add_frame(rows, str(new_id()), AT)
    assert hold(owner, hold_id, camera_id) == 2
    with refused("ID_REUSED"):
        hold(owner, hold_id, str(new_id()))
    with refused("ID_REUSED"):
        hold(owner, hold_id, camera_id, longer=timedelta(seconds=1))


def test_a_hold_ends_once_and_does_not_come_back(as_: Callable[..., As], rows: Rows) -> None:
    owner, hold_id, camera_id = as_("citizen-reports"), str(new_id()), str(new_id())
    release(owner, hold_id)  # never placed
    hold(owner, hold_id, camera_id)
    release(owner, hold_id)
    [first] = rows(f"SELECT released_at FROM evidence_holds WHERE hold_id = '{hold_id}'")
    release(owner, hold_id)
    hold(owner, hold_id, camera_id)
    [row] = rows(f"SELECT released_at FROM evidence_holds WHERE hold_id = '{hold_id}'")
    assert row == first and row["released_at"] is not None


def test_a_window_is_right_or_refused(as_: Callable[..., As]) -> None:
    owner = as_("citizen-reports")
    for longer in (timedelta(hours=24), timedelta(minutes=-31)):
        with refused("BAD_REQUEST"):
            hold(owner, str(new_id()), str(new_id()), longer=longer)
    with refused("BAD_REQUEST"):
        hold(owner, "the report of KZ-75", str(new_id()))


def test_nobody_else_places_or_ends_a_hold_and_its_entries_say_nothing(
    as_: Callable[..., As], rows: Rows
) -> None:
    owner, hold_id, camera_id = as_("citizen-reports"), str(new_id()), str(new_id())
    hold(owner, hold_id, camera_id)
    for stranger in (
        as_("violations"),
        as_("tartip-cli"),
        as_("kaspi", kind="partner"),
        as_("operator-gateway", operator="cameras-1"),
    ):
        with refused("NOT_ALLOWED"):
            hold(stranger, str(new_id()), camera_id)
        with refused("NOT_ALLOWED"):
            release(stranger, hold_id)
    release(owner, hold_id)
    entries = [json.loads(row["canonical"]) for row in rows("SELECT canonical FROM audit")]
    ours = [entry for entry in entries if entry["object"] == f"hold:{hold_id}"]
    assert sorted(entry["action"] for entry in ours) == ["hold_evidence", "release_evidence"]
    assert [entry["class"] for entry in ours] == ["confidential"] * 2
    assert camera_id not in str(ours)
