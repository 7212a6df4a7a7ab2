"""A frame that was looked at is taken in whole: what ended before it and what is open is told."""

import asyncio
import threading
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
from chassis.clock import new_id
from chassis.identity import Caller
from chassis.transaction import SYSTEM
from inference_gateway.admission import InferencePool
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import StoredEvidence
from inference_gateway.ingest import video_session as screening_module
from inference_gateway.ingest.usecases import PendingResult, SessionParts
from inference_gateway.ingest.video import SampledFrame
from inference_gateway.ingest.video_session import Subject, VideoSession
from vision.arrays import Picture
from vision.boxes import Box
from vision.detector import DetectionRequest, Detections
from vision.plates.reading import Plate

PICTURE = np.full((48, 64, 3), 90, np.uint8)


class Shown:
    """Models to whom every picture shows the next of these plates."""

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)

    async def detect(self, picture: Picture, request: DetectionRequest) -> Detections:
        return Detections(plates=(plate(next(self._texts)),))

    async def fingerprint(self) -> str:
        return "models"


class Sealed:
    """An evidence store that keeps nothing."""

    async def seal(self, content: bytes, content_type: str) -> StoredEvidence:
        return StoredEvidence("0" * 64, content_type, len(content), cast(Any, None), "path")


def plate(text: str) -> Plate:
    told: dict[str, Any] = {name.name: None for name in fields(Plate)}
    told.update(
        text=text,
        confidence=0.9,
        character_confidences=(0.9,) * len(text),
        box=Box(10, 10, 40, 10),
        country="KZ",
        plate_type="",
        legible=True,
    )
    return Plate(**told)


def session(*texts: str) -> VideoSession:
    camera = Camera(new_id(), "KZ-75", 1, "SN-1", b"k" * 32, False)
    caller = Caller("service", "inference-gateway")
    subject = Subject(new_id(), camera, caller, SYSTEM, b"content", datetime.now(UTC))
    parts = SessionParts(InferencePool(Shown(*texts)), cast(Any, Sealed()))
    return VideoSession(subject, parts)


def shot(number: int, seconds: float) -> SampledFrame:
    return SampledFrame(number, seconds, PICTURE, 0.0)


def read(results: list[PendingResult]) -> list[str]:
    return [one.text for pending in results for one in pending.result.plates if pending.facts]


async def cancelled_within(
    task: "asyncio.Task[Any]", entered: threading.Event, leave: threading.Event
) -> None:
    """Cancelled while a thread does a part of it."""
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_watch_that_is_stopped_between_tracks_and_pictures_loses_no_plate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = session("725BDE07", "463DXA02")
    await made.take(shot(0, 0.0))
    entered, leave, encode = threading.Event(), threading.Event(), screening_module._jpeg

    def slowly(picture: Picture) -> bytes:
        entered.set()
        leave.wait(10)
        return encode(picture)

    monkeypatch.setattr(screening_module, "_jpeg", slowly)
    # So much later that the first plate's track has ended.
    task = asyncio.ensure_future(made.take(shot(9, 9.0)))
    await cancelled_within(task, entered, leave)
    assert read(await made.finish()) == ["725BDE07", "463DXA02"]


async def test_a_plate_without_a_picture_is_told_without_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = session("725BDE07")

    def broken(picture: Picture) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(screening_module, "_jpeg", broken)
        await made.take(shot(0, 0.0))
    [pending] = await made.finish()
    assert read([pending]) == ["725BDE07"]
    assert (pending.evidence, pending.result.evidence_sha256) == (None, "")
