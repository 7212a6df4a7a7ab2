"""The rules of an edge box's stream, without any stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from chassis.refusals import StorageAway
from inference_gateway.frames.model import CounterWentBack, FrameResult
from inference_gateway.ingest.edge import (
    AT_ONCE,
    CAMERAS_MAX,
    UNANSWERED_MAX,
    Answer,
    EdgeStreams,
)

RESULT = FrameResult(UUID(int=0), datetime.fromtimestamp(0, UTC))


@dataclass(frozen=True)
class Frame:
    frame_id: str
    camera_id: str = "a"
    counter: int = 0


@dataclass
class Box:
    """Sends what it has, and remembers how far it was read."""

    frames: Sequence[Frame]
    read: int = 0

    async def sent(self) -> AsyncIterator[Frame]:
        for frame in self.frames:
            self.read += 1
            yield frame


@dataclass
class Desk:
    """Takes frames as intake does: a counter that grows for each camera, away when told so."""

    away: set[str] = field(default_factory=set)
    counters: dict[str, int] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def take(self, frame: Frame) -> FrameResult:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.open.wait()
        # Later frames are quicker: only turns keep them in order.
        await asyncio.sleep(0.002 if frame.counter % 2 else 0)
        self.at_once -= 1
        if frame.frame_id in self.away:
            raise StorageAway
        if frame.counter <= self.counters.get(frame.camera_id, 0):
            raise CounterWentBack
        self.counters[frame.camera_id] = frame.counter
        self.taken.append(frame.frame_id)
        return RESULT


def opened(**given: Any) -> Desk:
    desk = Desk(**given)
    desk.open.set()
    return desk


async def answers(desk: Desk, frames: Sequence[Frame]) -> list[Answer]:
    return [answer async for answer in EdgeStreams(desk.take).answers(Box(frames).sent())]


def reasons(told: list[Answer]) -> list[str]:
    return [answer.refusal.reason if answer.refusal else "taken" for answer in told]


async def test_answers_come_in_the_order_of_frames_and_a_cameras_counters_hold() -> None:
    desk = opened()
    frames = [Frame(f"{n}", "ab"[n % 2], n) for n in range(1, 30)]
    told = await answers(desk, frames)
    assert [answer.frame_id for answer in told] == [frame.frame_id for frame in frames]
    assert set(reasons(told)) == {"taken"}


async def test_a_box_that_is_not_answered_is_not_read_on() -> None:
    desk, box = Desk(), Box([Frame(f"{n}", f"{n}", 1) for n in range(40)])
    stream = EdgeStreams(desk.take).answers(box.sent())
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    assert box.read == UNANSWERED_MAX
    desk.open.set()
    assert (await first).frame_id == "0"
    assert len([answer async for answer in stream]) == 39
    assert desk.most_at_once <= UNANSWERED_MAX


async def test_all_streams_together_take_so_many_places() -> None:
    desk = Desk()
    boxes = EdgeStreams(desk.take)

    async def one(name: int) -> int:
        frames = [Frame(f"{name}-{n}", f"{name}-{n}", 1) for n in range(8)]
        return len([answer async for answer in boxes.answers(Box(frames).sent())])

    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(one(name)) for name in range(5)]
        await asyncio.sleep(0.02)
        desk.open.set()
    assert [stream.result() for stream in streams] == [8] * 5
    assert desk.most_at_once == AT_ONCE


async def test_what_must_come_again_holds_back_what_came_behind_it() -> None:
    desk = opened(away={"2"})
    frames = [Frame(f"{n}", "a", n) for n in range(1, 5)]
    boxes, sending = EdgeStreams(desk.take), asyncio.Queue[Frame | None]()

    async def sent() -> AsyncIterator[Frame]:
        while frame := await sending.get():
            yield frame

    stream = boxes.answers(sent())
    for frame in (*frames, Frame("other", "b", 1)):
        sending.put_nowait(frame)
    told = [await anext(stream) for _ in range(5)]
    assert reasons(told) == ["taken", *["STORAGE_AWAY"] * 3, "taken"]
    assert [answer.again for answer in told] == [False, True, True, True, False]
    # Sent on from the first one that may come again: nothing is barred by a later counter.
    desk.away.clear()
    for again in (*frames[1:], None):
        sending.put_nowait(again)
    assert reasons([answer async for answer in stream]) == ["taken"] * 3
    assert desk.taken == ["1", "other", "2", "3", "4"]


async def test_a_refusal_for_good_holds_nothing_back() -> None:
    told = await answers(opened(), [Frame("1", "a", 5), Frame("2", "a", 4), Frame("3", "a", 6)])
    assert reasons(told) == ["taken", "COUNTER_WENT_BACK", "taken"]
    assert not any(answer.again for answer in told)


async def test_a_stream_owes_frames_of_so_many_cameras() -> None:
    frames = [Frame(f"{n}", f"camera {n}", 1) for n in range(CAMERAS_MAX + 3)]
    desk = opened(away={frame.frame_id for frame in frames})
    told = reasons(await answers(desk, frames))
    assert told == ["STORAGE_AWAY"] * CAMERAS_MAX + ["OVERLOADED"] * 3


async def test_a_stream_that_breaks_answers_what_was_read_before() -> None:
    async def sent() -> AsyncIterator[Frame]:
        yield Frame("1", "a", 1)
        raise ValueError("no message")

    told = []
    with pytest.raises(ValueError, match="no message"):
        async for answer in EdgeStreams(opened().take).answers(sent()):
            told.append(answer)
    assert reasons(told) == ["taken"]
