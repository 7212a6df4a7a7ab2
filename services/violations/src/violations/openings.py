"""Access to violations and their frames. Every access is authorised and audited before anything is
returned.

If row-level security hides a violation from the caller, the access is refused as ViolationNotFound.
The attempt is recorded and published for internal security.
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
    """A chunk of the bytes of a frame's shown form (the copy for officers). Only the first chunk
    has the other fields: the media type of the shown form, its SHA-256 (hex), the SHA-256 of the
    original, and the size of the shown form in bytes."""

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0


class Evidence(Protocol):
    def read(self, sha256: str, purpose: str = "") -> AsyncGenerator[Piece, None]:
        """Stream the frame whose original has this SHA-256 (hex), in the form shown to officers.

        `purpose` tells the evidence store why the frame is read. It may be omitted while this
        service answers a call: the purpose of that call is then passed on automatically.
        """
        ...


class Openings:
    """Begins transactions in which a caller reads or changes one violation. If the violation is
    hidden from the caller or does not exist, the attempt is recorded."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, violation_id: UUID, caller: Caller) -> AsyncIterator[Tx]:
        """Context manager that yields a transaction in the caller's scope. If the block raises
        ViolationNotFound or EvidenceNotFound, the attempt is recorded. Attempts that a service
        makes on its own behalf, not for an operator, are not recorded."""

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
    """The use case of the RPC `OpenEvidence`: streams the frames of violations."""

    def __init__(self, openings: Openings, evidence: Evidence) -> None:
        self._openings = openings
        self._evidence = evidence

    async def open(self, violation_id: UUID, sha256: str, caller: Caller) -> AsyncIterator[Piece]:
        """Stream a frame of a violation in the form shown to officers, after the audit entry has
        been committed. `sha256` is the hash of the original or of the shown form.

        Raises ViolationNotFound or EvidenceNotFound.
        """
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
    """Completes recorded violations with the hashes of the pictures that officers are shown.

    The evidence of a violation is its frames, which are pictures. The evidence store has each frame
    twice: the original, and the shown form, a copy for officers. A violation is recorded with the
    SHA-256 of each original. The SHA-256 of a shown form may be unknown then; `learn` adds it.
    """

    def __init__(self, db: Database, clock: Clock, evidence: Evidence) -> None:
        self._db = db
        self._clock = clock
        self._evidence = evidence

    async def learn(self, key: str) -> None:
        """Scheduled work `learn_forms`: store the missing hashes of the shown forms of one
        violation, if it is in review. `key` is the violation's id as text.

        A hash that another violation already uses is left out. The violation `key` is then held (an
        officer cannot confirm it), because some of its evidence was used before.
        """
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
        """Return the SHA-256 (hex) of the shown form; "" where the frame cannot be shown."""
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
    """Return `known` (original hash to shown hash) without forms that are assigned to other
    violations."""
    return {
        original: shown
        for original, shown in known.items()
        if used.get(shown, violation_id) == violation_id
    }
