"""Watch-list officers, and the parts of the search beside the service, in this process."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import grpc
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.transaction import Scope
from host.leases import hold
from inference_gateway.admission import InferencePool
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import BlobStore
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames.model import open_picture
from inference_gateway.triton import Credentials, TritonModels
from inference_gateway.watchlists.candidates import MatchedFaces
from inference_gateway.watchlists.gallery_sync import GallerySync
from inference_gateway.watchlists.matcher import FaceMatcher
from inference_gateway.watchlists.search import StoredFaces
from inference_gateway.watchlists.usecases import WatchlistDesk
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip.inference.v1 import watchlists_pb2_grpc
from tartip_scenes.faces import draw_face
from tartip_testing.mesh import RunningTestMesh, wait_until
from vault.keyring import Keyring
from vision.detector import Detector
from vision.faces.detector import FaceDetector

from .peers import CALL_SECONDS, SERVICE, credentials
from .processes import Process

REGION = "KZ-31"
FINGERPRINT = "sha256:test"


def jpeg(picture: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


def face(seed: int = 4) -> bytes:
    return jpeg(draw_face(seed).picture)


def with_comment(picture: bytes) -> bytes:
    return picture[:2] + b"\xff\xfe\x00\x08Secret" + picture[2:]


@dataclass
class Officer:
    """Calls of one watch-list officer."""

    stub: Any
    token: str
    purpose: str = "test of the lists"

    def call(self, method: str, request: Any) -> Any:
        metadata = (("authorization", f"Bearer {self.token}"), ("tartip-purpose", self.purpose))
        # A channel whose server was killed may be waiting before it tries again.
        return getattr(self.stub, method)(
            request, timeout=CALL_SECONDS, metadata=metadata, wait_for_ready=True
        )

    def ask(self, **changes: Any) -> pb.Entry:
        return self.call("RequestEntry", asked(**changes)).entry  # type: ignore[no-any-return]

    def approve(self, entry_id: str) -> pb.Entry:
        request = pb.ApproveEntryRequest(entry_id=entry_id)
        return self.call("ApproveEntry", request).entry  # type: ignore[no-any-return]

    def withdraw(self, entry_id: str) -> pb.Entry:
        request = pb.WithdrawEntryRequest(entry_id=entry_id, reason="found")
        return self.call("WithdrawEntry", request).entry  # type: ignore[no-any-return]

    def candidates(self, entry_id: str) -> list[pb.Candidate]:
        request = pb.ListCandidatesRequest(entry_id=entry_id)
        return list(self.call("ListCandidates", request).candidates)

    def open(self, candidate_id: str) -> tuple[str, bytes]:
        request = pb.OpenEvidenceRequest(candidate_id=candidate_id)
        answers = list(self.call("OpenEvidence", request))
        content = b"".join(answer.content for answer in answers)
        assert answers[0].sha256 == hashlib.sha256(content).hexdigest()
        return answers[0].content_type, content

    def review(
        self, candidate_id: str, verdict: pb.Verdict.ValueType = pb.VERDICT_SAME_PERSON
    ) -> pb.Candidate:
        request = pb.ReviewCandidateRequest(candidate_id=candidate_id, verdict=verdict)
        return self.call("ReviewCandidate", request).candidate  # type: ignore[no-any-return]


def asked(**changes: Any) -> pb.RequestEntryRequest:
    told: dict[str, Any] = {
        "entry_id": str(new_id()),
        "region": REGION,
        "basis": pb.BASIS_MISSING_PERSON,
        "case_number": "C-2026/17",
        "purpose": "to find somebody who is missed",
        "expires_at": to_timestamp(datetime.now(UTC) + timedelta(days=30)),
        "picture": face(),
    }
    return pb.RequestEntryRequest(**{**told, **changes})


@pytest.fixture
def as_officer(
    engines: RunningTestMesh, triton: Process, service: Process
) -> Iterator[Callable[[str], Officer]]:
    channel = grpc.secure_channel(
        engines.address(SERVICE), credentials(engines, "service", "operator-gateway")
    )
    stub = watchlists_pb2_grpc.WatchlistsStub(channel)
    yield lambda name: Officer(stub, engines.token(name))
    channel.close()


@pytest.fixture
def one(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-1")


@pytest.fixture
def other(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-2")


@pytest.fixture
def third(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-3")


@pytest.fixture
def in_force(one: Officer, other: Officer) -> Iterator[str]:
    """An entry that is searched for during the test."""
    entry_id = other.approve(one.ask().entry_id).entry_id
    yield entry_id
    one.withdraw(entry_id)


@dataclass
class Beside:
    """The same parts as in the service, in this process, on the same database and models."""

    db: Database
    lists: GallerySync
    pool: InferencePool
    evidence_store: EvidenceStore
    watch: FaceMatcher
    desk: WatchlistDesk

    async def sweep(self) -> int:
        """As the service's sweeper does, under a lease of its own."""
        async with hold(self.db, "watch-list sweeper of a test") as lease:
            return await self.desk.sweep(lease)

    async def see(
        self, picture: bytes, *, camera: Camera, at: datetime, keep: bool = True
    ) -> tuple[MatchedFaces, StoredFaces | None]:
        shown = await asyncio.to_thread(open_picture, picture)
        seen = await self.watch.search(
            shown, camera, at, content=lambda: picture, fingerprint=FINGERPRINT
        )
        seen = await seen.sealed()
        if not keep:
            return seen, None
        async with self.db.begin(Scope("device", "edge-1", (camera.region,))) as tx:
            return seen, await seen.keep(tx)


@asynccontextmanager
async def beside(
    engines: RunningTestMesh, *, later: timedelta = timedelta(0)
) -> AsyncIterator[Beside]:
    told = engines.environment(SERVICE)
    keyring = Keyring(engines.keys.folder / SERVICE)

    def clock() -> datetime:
        return system_clock() + later

    db = Database(told["TARTIP_WORK_DATABASE_URL"], service="test", keyring=keyring, clock=clock)
    pair = engines.certificates.triton_caller(SERVICE)
    models = TritonModels(
        told["TARTIP_TRITON_URL"],
        Credentials(pair.certificate, pair.key, engines.certificates.authority),
    )
    lists, detector, pool = GallerySync(db), FaceDetector(models), InferencePool(Detector(models))
    await lists.refresh()
    evidence_store = EvidenceStore(db, BlobStore(told["TARTIP_EVIDENCE_URL"]), clock)
    desk = WatchlistDesk(db, lists, pool, detector, clock, evidence_store)
    try:
        watch = FaceMatcher(db, lists, detector, evidence_store, clock)
        yield Beside(db, lists, pool, evidence_store, watch, desk)
    finally:
        await models.close()
        await db.close()


def camera(region: str = REGION) -> Camera:
    return Camera(new_id(), region, 1, "SN-1", b"k" * 32, False)


def wait_until_key_is_destroyed(rows: Callable[[str], list[Any]], entry_id: str) -> None:
    """The key of a closed entry's template goes by scheduled work."""
    query = (
        "SELECT 1 FROM watch_entries JOIN data_keys USING (key_id) WHERE wrapped IS NULL"
        f" AND destroyed_at IS NOT NULL AND destroyed_by IS NOT NULL AND entry_id = '{entry_id}'"
    )
    wait_until(lambda: bool(rows(query)), seconds=30)


def audited(rows: Callable[[str], list[Any]], object_ref: str) -> list[tuple[str, str, str]]:
    entries = [json.loads(row["canonical"]) for row in rows("SELECT canonical FROM audit")]
    return [
        (entry["action"], entry["actor"], entry["purpose"])
        for entry in entries
        if entry["object"] == object_ref
    ]


def states(rows: Callable[[str], list[Any]], entry_id: str) -> list[tuple[str, bool]]:
    """(state, whether its frame is forgotten) of an entry's candidates, oldest first."""
    return [
        (row["state"], row["forgotten_at"] is not None)
        for row in rows(
            "SELECT state, forgotten_at FROM watch_candidates"
            f" WHERE entry_id = '{entry_id}' ORDER BY candidate_id"
        )
    ]
