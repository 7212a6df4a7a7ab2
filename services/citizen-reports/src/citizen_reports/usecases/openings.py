"""Access to reports and media. Every access is authorised, and audited before data are returned.

A report is refused as not found if row-level security hides it from the caller. A refused attempt
is audited and published for internal security.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
from citizen_reports.model.retention import Part
from citizen_reports.model.viewings import Seen
from citizen_reports.storage import contents, reports
from citizen_reports.storage.retention import is_erased
from citizen_reports.usecases.readings import record_opening
from citizen_reports.usecases.recording import bind_trace


@dataclass(frozen=True)
class Piece:
    """A chunk of the copy of a file that operators are shown.

    The fields other than `content` are set only in the first chunk. They describe the whole copy,
    except for `original_sha256`, the hash (hex) of the original file.
    """

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0


class Evidence(Protocol):
    def read(self, sha256: str, *, confidential: bool) -> AsyncIterator[Piece]:
        """Stream the copy of a file that operators are shown. `sha256` (hex) is the hash of the
        original file. With `confidential`, the audit entry of this access is hidden from
        auditors."""
        ...


class Openings:
    """Begins transactions in which a caller reads or changes one report. Refused attempts are
    audited and published, except those of a service that acts for no operator."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, key: UUID | str, caller: Caller) -> AsyncIterator[Tx]:
        """Begin a transaction in the caller's scope. Its block must read or change the report whose
        id or number is `key`.

        If the block raises ReportNotFound or MediaNotFound, the refused attempt is recorded in the
        audit log and the error raised again.
        """
        async with self.recorded(key, caller), self._db.begin(caller.scope) as tx:
            yield tx

    def recorded(self, key: UUID | str, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Return a context manager that records a refused attempt in the audit log if its block
        raises ReportNotFound or MediaNotFound. `key` is the requested report's id or number."""

        async def find(tx: Tx) -> Record | None:
            report = await reports.find_by_key(tx, key)
            if report is None:
                return None
            return Record(f"report:{report.name}", report.region, report.is_confidential)

        return self._attempts.recorded(caller, f"report:{key}", find, ReportNotFound, MediaNotFound)


class SentMedia:
    """The use case of the RPC `OpenEvidence`: streams the media of reports to operators."""

    def __init__(self, db: Database, openings: Openings, evidence: Evidence) -> None:
        self._db = db
        self._openings = openings
        self._evidence = evidence

    async def open(self, report_id: UUID, media_id: UUID, caller: Caller) -> AsyncIterator[Piece]:
        """Commit an audit entry, then stream the copy of the file that operators are shown.

        Raises ReportNotFound, MediaNotFound or MediaNotStored.
        """
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            item = await _stored(tx, report_id, media_id)
            facts = {"media": str(media_id), "sha256": item.evidence_sha256}
            record_opening(tx, report, [Seen.MEDIA], caller, **facts)
            # The clean form is kept longer than the original in which it was found.
            only_form = await is_erased(tx, report_id, Part.ORIGINAL)
        asked = item.shown_sha256 if only_form else item.evidence_sha256
        pieces = self._evidence.read(asked, confidential=report.is_confidential)
        async for piece in pieces:
            if piece.sha256 and not item.shown_sha256:
                await self._learn(item, piece.sha256, caller)
            yield piece

    async def _learn(self, item: Media, shown_sha256: str, caller: Caller) -> None:
        """Store the hash of the shown form of a file that was stored before shown forms were
        recorded."""
        async with self._db.begin(caller.scope) as tx:
            await contents.save_media(tx, replace(item, shown_sha256=shown_sha256))


async def _stored(tx: Tx, report_id: UUID, media_id: UUID) -> Media:
    item = await contents.find_media(tx, report_id, media_id)
    if item is None:
        raise MediaNotFound
    if item.state is not MediaState.STORED:
        raise MediaNotStored
    return item
