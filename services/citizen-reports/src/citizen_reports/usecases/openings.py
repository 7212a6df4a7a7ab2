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
from citizen_reports.model.blurred_forms import (
    MediaForm,
    MediaRequest,
    form_to_show,
    opens_clean,
)
from citizen_reports.model.media import Media
from citizen_reports.model.refusals import (
    MediaNotBlurredYet,
    MediaNotFound,
    ReportNotFound,
)
from citizen_reports.model.retention import Part
from citizen_reports.model.viewings import Seen
from citizen_reports.storage import blurred_forms, contents, reports
from citizen_reports.storage.retention import is_erased
from citizen_reports.usecases.blurring import BLUR_MEDIA
from citizen_reports.usecases.readings import record_opening
from citizen_reports.usecases.recording import bind_trace


@dataclass(frozen=True)
class Piece:
    """A chunk of the copy of a file that operators are shown.

    The fields other than `content` are set only in the first chunk. They describe the whole copy,
    except for `original_sha256`, the hash (hex) of the original file. `SentMedia` sets `form`.
    """

    content: bytes
    content_type: str = ""
    sha256: str = ""
    original_sha256: str = ""
    size_bytes: int = 0
    form: MediaForm | None = None


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


@dataclass(frozen=True)
class _Opened:
    """The form of a file that is streamed once its audit entry is committed, and its hash (hex)."""

    item: Media
    form: MediaForm
    sha256: str
    is_confidential: bool


class SentMedia:
    """The use case of the RPC `OpenEvidence`: streams the media of reports to operators."""

    def __init__(self, db: Database, clock: Clock, openings: Openings, evidence: Evidence) -> None:
        self._db = db
        self._clock = clock
        self._openings = openings
        self._evidence = evidence

    async def open(self, asked: MediaRequest, caller: Caller) -> AsyncIterator[Piece]:
        """Commit an audit entry, then stream the file, or its first frame, in the form that this
        operator is shown.

        Raises ReportNotFound, MediaNotFound, MediaRefused, MediaNotStored, MediaHasNoFirstFrame,
        MediaHasNoBlurredForm, or MediaNotBlurredYet, after which the blurring is due at once.
        """
        try:
            opened = await self._opened(asked, caller)
        except MediaNotBlurredYet:
            async with self._db.begin(caller.scope) as tx:
                key = f"{asked.report_id}:{asked.media_id}"
                await tx.reschedule(BLUR_MEDIA, key, self._clock())
            raise
        is_whole = opened.form is MediaForm.CLEAN and not asked.first_frame
        pieces = self._evidence.read(opened.sha256, confidential=opened.is_confidential)
        async for piece in pieces:
            if piece.sha256 and is_whole and not opened.item.shown_sha256:
                await self._learn(opened.item, piece.sha256, caller)
            original = piece.original_sha256 if is_whole else opened.item.evidence_sha256
            is_first = bool(piece.sha256)
            yield replace(piece, original_sha256=original, form=opened.form) if is_first else piece

    async def _opened(self, asked: MediaRequest, caller: Caller) -> _Opened:
        async with self._openings.begin(asked.report_id, caller) as tx:
            report = await reports.get(tx, asked.report_id)
            bind_trace(report)
            item = await contents.find_media(tx, asked.report_id, asked.media_id)
            if item is None:
                raise MediaNotFound
            may_open_clean = opens_clean(report, caller.scope.name, caller.scope.roles)
            form = form_to_show(item, asked, may_open_clean=may_open_clean)
            sha256 = await _hash_of(tx, item, form, asked)
            its = item.first_frame_sha256 if asked.first_frame else item.evidence_sha256
            facts = {"media": str(asked.media_id), "sha256": its}
            seen = Seen.MEDIA if form is MediaForm.CLEAN else Seen.BLURRED
            record_opening(tx, report, [seen], caller, **facts)
        return _Opened(item, form, sha256, report.is_confidential)

    async def _learn(self, item: Media, shown_sha256: str, caller: Caller) -> None:
        """Store the hash of the shown form of a file that was stored before shown forms were
        recorded."""
        async with self._db.begin(caller.scope) as tx:
            await contents.save_media(tx, replace(item, shown_sha256=shown_sha256))


async def _hash_of(tx: Tx, item: Media, form: MediaForm, asked: MediaRequest) -> str:
    """The hash under which the evidence store has this form. Raises MediaNotBlurredYet."""
    if form is MediaForm.BLURRED:
        blurred = await blurred_forms.find_form(tx, item.report_id, item.media_id)
        if blurred is None or not blurred.is_stored:
            raise MediaNotBlurredYet
        return blurred.sha256
    if asked.first_frame:
        return item.first_frame_sha256
    # The clean form is kept longer than the original in which it was found.
    only_form = await is_erased(tx, item.report_id, Part.ORIGINAL)
    return item.shown_sha256 if only_form else item.evidence_sha256
