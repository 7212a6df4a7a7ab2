"""Opening violations and their frames: decided here for whoever asks, audited, then shown.

What row security hides from an operator is answered like what does not exist; that he asked is
recorded, and internal security is told.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chassis.attempts import Attempts, Record
from chassis.clock import Clock
from chassis.db import Database, Tx
from chassis.identity import Caller

from violations import storage
from violations.events import access_refused
from violations.model import EvidenceNotFound, Frame, Violation, ViolationNotFound


@dataclass(frozen=True)
class Piece:
    """A part of a frame as it is shown; the first says what it is."""

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0


class Evidence(Protocol):
    def read(self, sha256: str) -> AsyncIterator[Piece]:
        """The shown form of an original."""
        ...


class Openings:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, violation_id: UUID, caller: Caller) -> AsyncIterator[Tx]:
        """A transaction that opens one violation for the caller."""

        async def find(tx: Tx) -> Record | None:
            region = await storage.region_of(tx, violation_id)
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

    def __init__(self, db: Database, openings: Openings, evidence: Evidence) -> None:
        self._db = db
        self._openings = openings
        self._evidence = evidence

    async def open(self, violation_id: UUID, sha256: str, caller: Caller) -> AsyncIterator[Piece]:
        """The entry that says who opens it is committed before the first byte is asked for."""
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await storage.get(tx, violation_id)
            frame = violation.frame(sha256)
            tx.audit(
                "open_evidence",
                f"violation:{violation_id}",
                region=violation.place.region,
                facts={"sha256": frame.original_sha256},
            )
        async for piece in self._evidence.read(frame.original_sha256):
            if piece.sha256 and piece.sha256 != frame.sha256:
                await self._learn(violation, frame, piece.sha256, caller)
            yield piece

    async def _learn(
        self, violation: Violation, frame: Frame, shown_sha256: str, caller: Caller
    ) -> None:
        """Of a frame from before there were two forms; what was decided stays as it was signed."""
        async with self._db.begin(caller.scope) as tx:
            await storage.note_shown(tx, violation, frame.original_sha256, shown_sha256)
