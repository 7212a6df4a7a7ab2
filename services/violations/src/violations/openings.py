"""Opening violations and their frames: decided here for whoever asks, audited, then shown.

What row security hides from an operator is answered like what does not exist; that he asked is
recorded, and internal security is told.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from audit_log.attempts import Attempts, Record
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Tx

from violations.conflicts import hold_for_evidence
from violations.events import access_refused
from violations.model import EvidenceNotFound, State, ViolationNotFound
from violations.storage import evidence, violations

LEARNING = "the form of evidence that officers are shown"


@dataclass(frozen=True)
class Piece:
    """A part of a frame as it is shown; the first says what it is."""

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0


class Evidence(Protocol):
    def read(self, sha256: str, purpose: str = "") -> AsyncGenerator[Piece, None]:
        """The shown form of an original, for the purpose of the call that is served or this."""
        ...


class Openings:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, violation_id: UUID, caller: Caller) -> AsyncIterator[Tx]:
        """A transaction that opens one violation for the caller."""

        async def find(tx: Tx) -> Record | None:
            region = await violations.region_of(tx, violation_id)
            return None if region is None else Record(asked, region)

        asked = f"violation:{violation_id}"
        hidden = (ViolationNotFound, EvidenceNotFound)
        async with (
            self._attempts.recorded(caller, asked, find, *hidden),
            self._db.begin(caller.scope) as tx,
        ):
            yield tx


class Frames:
    """What `OpenEvidence` answers."""

    def __init__(self, openings: Openings, evidence: Evidence) -> None:
        self._openings = openings
        self._evidence = evidence

    async def open(self, violation_id: UUID, sha256: str, caller: Caller) -> AsyncIterator[Piece]:
        """The entry that says who opens it is committed before the first byte is asked for."""
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await violations.get(tx, violation_id)
            frame = violation.frame(sha256)
            tx.audit(
                "open_evidence",
                f"violation:{violation_id}",
                region=violation.place.region,
                facts={"sha256": frame.original_sha256},
            )
        async for piece in self._evidence.read(frame.original_sha256):
            yield piece


class Forms:
    """Learns the shown forms of frames that came without: of before there were two forms."""

    def __init__(self, db: Database, clock: Clock, evidence: Evidence) -> None:
        self._db = db
        self._clock = clock
        self._evidence = evidence

    async def learn(self, key: str) -> None:
        """Work `learn_forms`; the key is the violation. What was decided stays as it was signed;
        a form that stands in another violation stays there, and this one is held."""
        violation_id = UUID(key)
        async with self._db.begin(SYSTEM) as tx:
            violation = await violations.get(tx, violation_id)
        known = {
            frame.original_sha256: await self._form_of(frame.original_sha256)
            for frame in violation.frames
            if not frame.shown_sha256
        }
        async with self._db.begin(SYSTEM) as tx:
            # Evidence before rows, as whatever records locks them.
            used = await evidence.uses_of(tx, violation.with_forms(known).evidence_hashes)
            current = await violations.get_for_update(tx, violation_id)
            learnt = current.with_forms(_without(known, used, violation_id))
            if learnt.frames != current.frames:
                await violations.note_shown(tx, learnt)
                await evidence.use(tx, violation_id, learnt.evidence_hashes - used.keys())
            others = set(used.values()) - {violation_id, *current.conflicting}
            if others and current.state is State.REVIEW:
                await hold_for_evidence(tx, violation_id, others, self._clock())

    async def _form_of(self, original_sha256: str) -> str:
        """ "" where it cannot be shown."""
        try:
            async with aclosing(self._evidence.read(original_sha256, LEARNING)) as pieces:
                return (await anext(pieces)).sha256
        except Refusal as refusal:
            if refusal.kind not in (Kind.STATE, Kind.NOT_FOUND):
                raise
            return ""


def _without(
    known: Mapping[str, str], used: Mapping[str, UUID], violation_id: UUID
) -> dict[str, str]:
    """Original → shown, but for forms that stand in another violation."""
    return {
        original: shown
        for original, shown in known.items()
        if used.get(shown, violation_id) == violation_id
    }
