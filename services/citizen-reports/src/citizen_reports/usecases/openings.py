"""Opening reports and what was sent with them: decided here for whoever asks, audited, then shown.

What row security hides, or an officer's own name in a complaint, is answered like what does not
exist; that somebody asked is recorded, and internal security is told.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from audit_log.attempts import Attempts, Record
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Tx

from citizen_reports.events import access_refused
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.refusals import MediaNotFound, MediaNotStored, ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.storage import contents, reports
from citizen_reports.usecases.recording import audit, bind_trace


@dataclass(frozen=True)
class Piece:
    """A part of a picture or film as it is shown; the first says what it is."""

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0


class Evidence(Protocol):
    def read(self, sha256: str, *, confidential: bool) -> AsyncIterator[Piece]:
        """The shown form of an original."""
        ...


class Openings:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, key: UUID | str, caller: Caller) -> AsyncIterator[Tx]:
        """A transaction that opens one report, by id or number, for the caller."""

        async def find(tx: Tx) -> Record | None:
            report = await reports.find_by_key(tx, key)
            if report is None:
                return None
            return Record(f"report:{report.name}", report.region, report.is_confidential)

        async with (
            self._attempts.recorded(caller, f"report:{key}", find, ReportNotFound, MediaNotFound),
            self._db.begin(caller.scope) as tx,
        ):
            yield tx


class SentMedia:
    """What `OpenEvidence` answers."""

    def __init__(self, db: Database, openings: Openings, evidence: Evidence) -> None:
        self._db = db
        self._openings = openings
        self._evidence = evidence

    async def open(self, report_id: UUID, media_id: UUID, caller: Caller) -> AsyncIterator[Piece]:
        """The entry that says who opens it is committed before the first byte is asked for."""
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.get(tx, report_id)
            await bar_who_is_complained_about(tx, report, caller)
            bind_trace(report)
            item = await _stored(tx, report_id, media_id)
            audit(tx, "open_evidence", report, media=str(media_id), sha256=item.evidence_sha256)
        pieces = self._evidence.read(item.evidence_sha256, confidential=report.is_confidential)
        async for piece in pieces:
            if piece.sha256 and not item.shown_sha256:
                await self._learn(item, piece.sha256, caller)
            yield piece

    async def _learn(self, item: Media, shown_sha256: str, caller: Caller) -> None:
        """The form of what was sent before there were two."""
        async with self._db.begin(caller.scope) as tx:
            await contents.save_media(tx, replace(item, shown_sha256=shown_sha256))


async def bar_who_is_complained_about(tx: Tx, report: Report, caller: Caller) -> None:
    """Raises ReportNotFound."""
    if await is_about(tx, report, caller):
        raise ReportNotFound


async def is_about(tx: Tx, report: Report, caller: Caller) -> bool:
    """Internal security, too, has officers: one that a complaint names does not see it."""
    if not report.is_complaint:
        return False
    officer = await contents.officer_of(tx, report.report_id)
    return caller.scope.name.casefold() in officer.casefold()


async def _stored(tx: Tx, report_id: UUID, media_id: UUID) -> Media:
    item = await contents.find_media(tx, report_id, media_id)
    if item is None:
        raise MediaNotFound
    if item.state is not MediaState.STORED:
        raise MediaNotStored
    return item
