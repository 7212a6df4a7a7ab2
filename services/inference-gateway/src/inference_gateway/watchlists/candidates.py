"""The result of the face search in one frame, and the storage of the candidates that it found.

`MatchedFaces` implements the protocol `FaceFindings` of `search.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from chassis.clock import Clock
from chassis.transaction import Tx
from vision.pictures import content_type

from inference_gateway.evidence.storage import EvidencePlace, StoredEvidence, store_evidence
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames.events import OutboundEvent
from inference_gateway.frames.model import FaceVerdict, SeenFace
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.events import face_candidate
from inference_gateway.watchlists.model import Candidate
from inference_gateway.watchlists.search import StoredFaces


@dataclass(frozen=True)
class Found:
    """A candidate (a face that resembles a watch-list entry). The field `face` is the index of the
    candidate's face among all detected faces of the frame."""

    face: int
    candidate: Candidate


@dataclass(frozen=True)
class MatchedFaces:
    """The result of the face search in one frame. The field `seen` has the detected faces. The
    field `found` has the candidates among them.

    The field `frame` is the encoded picture if there is a new candidate, else empty. `sealed`
    stores the picture and returns a copy with `evidence` set and `frame` empty.
    """

    clock: Clock
    evidence_store: EvidenceStore
    seen: tuple[SeenFace, ...] = ()
    found: tuple[Found, ...] = ()
    frame: bytes = field(default=b"", repr=False)
    evidence: StoredEvidence | None = None

    @property
    def faces(self) -> tuple[SeenFace, ...]:
        return self._answer(
            {found.candidate.entry_id: found.candidate.candidate_id for found in self.found}
        )

    @property
    def has_candidates(self) -> bool:
        return bool(self.found)

    async def sealed(self) -> "MatchedFaces":
        if not self.frame:
            return self
        kept = await self.evidence_store.seal(self.frame, content_type(self.frame))
        found = tuple(
            replace(each, candidate=replace(each.candidate, evidence_sha256=kept.sha256))
            for each in self.found
        )
        return replace(self, found=found, frame=b"", evidence=kept)

    async def keep(self, tx: Tx) -> StoredFaces:
        assert not self.frame, "not sealed"
        keeping = _Keeping(tx, self.evidence, self.clock)
        # In one order for all, so that two frames do not wait for each other's entries.
        for found in sorted(self.found, key=lambda each: each.candidate.entry_id):
            await keeping.keep(found.candidate)
        return StoredFaces(self._answer(keeping.ids), tuple(keeping.events))

    def _answer(self, ids: Mapping[UUID, UUID]) -> tuple[SeenFace, ...]:
        """The faces with candidate ids from `ids`, by entry; a face gets its nearest entry's
        candidate.
        """
        events = list(self.seen)
        for found in sorted(self.found, key=lambda each: each.candidate.closeness):
            if found.candidate.entry_id in ids:
                events[found.face] = replace(
                    events[found.face],
                    verdict=FaceVerdict.CANDIDATE,
                    candidate_id=ids[found.candidate.entry_id],
                )
        return tuple(events)


@dataclass
class _Keeping:
    """Stores the candidates of a frame within one transaction."""

    tx: Tx
    evidence: StoredEvidence | None
    clock: Clock
    ids: dict[UUID, UUID] = field(default_factory=dict)
    events: list[OutboundEvent] = field(default_factory=list)

    async def keep(self, one: Candidate) -> None:
        """Store a candidate, unless its entry was closed since the face was compared."""
        if not await storage.hold_in_force(self.tx, one.entry_id, self.clock()):
            return
        known = await storage.seen_just_now(self.tx, one.entry_id, one.camera_id, one.captured_at)
        if known is not None:
            await storage.saw_again(self.tx, known, one.captured_at)
            self.ids[one.entry_id] = known
        elif self.evidence is not None:
            await self._keep_new(one, self.evidence)

    async def _keep_new(self, one: Candidate, evidence: StoredEvidence) -> None:
        if not self.events:
            await store_evidence(self.tx, evidence, EvidencePlace(one.region, storage.OFFICER))
        await storage.add_candidate(self.tx, one, self.clock())
        fact = face_candidate(one)
        self.tx.emit(fact.event)
        self.tx.audit(
            "find_candidate",
            f"candidate:{one.candidate_id}",
            region=one.region,
            facts={"entry": str(one.entry_id), "camera": str(one.camera_id)},
        )
        self.events.append(fact)
        self.ids[one.entry_id] = one.candidate_id
