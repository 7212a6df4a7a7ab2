"""Audits the access to reports, and streams their media to operators.

A report that row-level security hides from the caller is refused as not found. The attempt is
audited, and published for internal security.
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
    """A chunk of a file in the form that an operator is shown.

    The fields other than `content` are set only in the first chunk. They describe the whole form,
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
        """Yield the form of a file that operators are shown. `sha256` (hex) is the hash of the
        original, or of a form stored by itself. With `confidential`, the store's audit entry about
        this access is hidden from auditors. Raises a Refusal."""
        ...


class Openings:
    """Begins transactions in which a caller reads or changes one report. Refused attempts are
    audited and, if the report exists, published; those of a service without an operator are not."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, key: UUID | str, caller: Caller) -> AsyncIterator[Tx]:
        """Begin a transaction in the caller's scope, to read or change the report whose id or
        number is `key`.

        If the block raises ReportNotFound or MediaNotFound, the refused attempt is recorded in the
        audit log, and the error is raised again.
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
    """A file to stream, in which form, and by which hash (hex) to find it in the evidence store."""

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
        """Commit an audit entry, then yield the file, or its first frame, in the form that the
        caller may see.

        Raises ReportNotFound, MediaNotFound, MediaRefused, MediaNotStored, MediaHasNoFirstFrame,
        MediaHasNoBlurredForm, or MediaNotBlurredYet, after it has made the blurring due now.
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
        """Store the hash of the shown form for a file whose row lacks it, since the file is older
        than this column."""
        async with self._db.begin(caller.scope) as tx:
            await contents.save_media(tx, replace(item, shown_sha256=shown_sha256))


async def _hash_of(tx: Tx, item: Media, form: MediaForm, asked: MediaRequest) -> str:
    """The hash (hex) by which the evidence store finds this form. Raises MediaNotBlurredYet."""
    if form is MediaForm.BLURRED:
        blurred = await blurred_forms.find_form(tx, item.report_id, item.media_id)
        if blurred is None or not blurred.is_stored:
            raise MediaNotBlurredYet
        return blurred.sha256
    if asked.first_frame:
        return item.first_frame_sha256
    # The store finds a clean form by its original's hash, or by its own once that was erased.
    only_form = await is_erased(tx, item.report_id, Part.ORIGINAL)
    return item.shown_sha256 if only_form else item.evidence_sha256
