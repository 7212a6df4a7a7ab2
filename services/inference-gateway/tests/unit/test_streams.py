"""Slots come to one outcome each, and leases are shared fairly."""

from collections import Counter
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_gateway.streams.model import (
    Advance,
    Outcome,
    Slots,
    StreamState,
    fair_share,
    slot_at,
)
from vision.boxes import Box
from vision.plates.reading import Plate
from vision.plates.tracks import PlateTracker

steps = st.lists(
    st.tuples(
        st.sampled_from(["came", "skip", "settle", "take"]),
        st.integers(0, 30),
        st.sampled_from(Outcome),
    ),
    max_size=60,
)


@given(st.integers(0, 50), steps)
def test_every_slot_comes_to_one_outcome(
    begin: int, walked: list[tuple[str, int, Outcome]]
) -> None:
    slots, taken, ends = Slots(begin), Counter[Outcome](), [begin]
    for step, ahead, outcome in walked:
        if step == "came":
            slots.came(slots.until + ahead - 5)
        elif step == "skip":
            slots.skip_to(slots.until + ahead - 5, Outcome.STREAM_AWAY)
        elif step == "settle":
            slots.settle(slots.until, outcome)
        else:
            first, end, counts = slots.take()
            assert first == ends[-1]
            Advance(None, 1, first, end, counts, StreamState.LIVE)  # type: ignore[arg-type]
            taken.update(counts)
            ends.append(end)
    taken.update(slots.take()[2])
    assert taken.total() == slots.until - begin
    assert all(count > 0 for count in taken.values())


def test_a_frame_that_a_newer_one_replaced_is_stale_and_one_that_never_came_is_missing() -> None:
    slots = Slots(10)
    slots.came(11)
    slots.came(12)
    slots.skip_to(12, Outcome.STREAM_AWAY)
    slots.settle(12, Outcome.LOOKED_AT)
    slots.came(9)
    assert slots.take() == (
        10,
        13,
        {Outcome.STALE: 1, Outcome.STREAM_AWAY: 1, Outcome.LOOKED_AT: 1},
    )
    assert slots.take() == (13, 13, {})


def test_a_slot_begins_with_its_moment() -> None:
    at = {"put_at": 1000.0, "frames_per_second": 2.0}
    assert [slot_at(moment, **at) for moment in (1000.0, 1000.49, 1000.5, 1003.0)] == [0, 0, 1, 6]


def test_a_step_that_does_not_add_up_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Advance(None, 1, 0, 3, {Outcome.SHED: 2}, StreamState.LIVE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("streams", "workers", "share"), [(16, 2, 8), (3, 2, 2), (0, 3, 0), (5, 0, 5), (1, 4, 1)]
)
def test_shares_are_fair_and_leave_nothing_over(streams: int, workers: int, share: int) -> None:
    assert fair_share(streams, workers) == share
    assert share * max(1, workers) >= streams


def plate(text: str) -> Plate:
    box = Box(10, 10, 80, 20)
    told: dict[str, Any] = {name.name: None for name in fields(Plate)}
    told.update(text=text, confidence=0.9, character_confidences=(0.9,) * len(text), box=box)
    return Plate(**told)


def test_a_plate_in_a_picture_that_does_not_change_stays_and_is_read_no_further() -> None:
    tracks = PlateTracker(forget_seconds=3.0)
    tracks.add([plate("725BDE07")], at=0.0)
    assert [tracks.tick(at=float(at)) for at in range(1, 9)] == [[]] * 8
    [track] = tracks.open
    assert (track.last_seen, track.frames, len(track.readings)) == (8.0, 1, 1)
    assert tracks.add([], at=9.0) == []
    [ended] = tracks.tick(at=12.5)
    assert ended is track
