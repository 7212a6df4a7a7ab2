"""A frame of a film or stream on its way to a look."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Scope
from inference_gateway.admission import InferencePool, Urgency
from inference_gateway.camera_rules.model import CameraFunctions
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import BlobStore
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.ingest.usecases import SessionParts
from inference_gateway.ingest.video import SampledFrame
from inference_gateway.ingest.video_session import Subject, VideoSession
from inference_gateway.watchlists.gallery_sync import GallerySync
from inference_gateway.watchlists.matcher import FaceMatcher
from inference_gateway.watchlists.model import ListsAway
from vault.keyring import Keyring
from vision.faces.detector import FaceDetector

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class NobodyLooks:
    async def fingerprint(self) -> str:
        raise AssertionError

    async def detect(self, picture: Any, request: Any) -> Any:
        raise AssertionError

    async def run(self, model: str, images: Any, *, seconds: float) -> Any:
        raise AssertionError


async def test_no_place_is_held_while_the_watch_lists_have_not_been_read(tmp_path: Path) -> None:
    db = Database(
        "postgresql://nowhere", service="test", keyring=Keyring(tmp_path), clock=lambda: NOON
    )
    evidence_store = EvidenceStore(db, BlobStore(f"file://{tmp_path}"), lambda: NOON)
    pool, detector, lists = (
        InferencePool(NobodyLooks()),
        FaceDetector(NobodyLooks()),
        GallerySync(db),
    )
    faces = FaceMatcher(db, lists, detector, evidence_store, lambda: NOON)
    caller, scope = Caller("device", "edge-1"), Scope("device", "edge-1", ("KZ-75",))
    camera = Camera(UUID(int=1), "KZ-75", 1, "SN-1", bytes(32), retired=False)
    subject = Subject(UUID(int=2), camera, caller, scope, b"", NOON)

    async def configured() -> CameraFunctions:
        return CameraFunctions(Urgency.NORMAL, plates=True, faces=True)

    session = VideoSession(
        subject, SessionParts(pool, evidence_store, faces), configured=configured
    )
    with pytest.raises(ListsAway):
        await session.take(SampledFrame(0, 0.0, np.zeros((48, 64, 3), np.uint8), 0.0))
    assert pool._admission.offered == 0
    with pytest.raises(ListsAway):
        lists.is_searching("KZ-75")


def test_nothing_is_dated_later_than_now_whatever_clocks_do() -> None:
    camera = Camera(UUID(int=1), "KZ-75", 1, "SN-1", bytes(32), retired=False)
    caller, scope = Caller("device", "edge-1"), Scope("device", "edge-1", ("KZ-75",))
    set_back = NOON + timedelta(seconds=30)
    subject = Subject(UUID(int=2), camera, caller, scope, b"", NOON, lambda: set_back)
    assert subject.moment(10.0) == NOON + timedelta(seconds=10)
    assert subject.moment(3600.0) == set_back
