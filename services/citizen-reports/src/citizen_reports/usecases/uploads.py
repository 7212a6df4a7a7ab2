"""Resumable uploads of photographs, films and voice messages, which are stored encrypted until they
are in the evidence store.

The examination of a completely uploaded file determines the kind of its content, and makes its
clean form; the original is never shown. In emergencies, uploads may continue after submission.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.transaction import Scope, Tx

from citizen_reports.model.findings import Finding, Reason
from citizen_reports.model.following_files import looked_at, rest_is_taken
from citizen_reports.model.media import (
    MEDIA_MAX,
    MEDIA_SENT_MAX,
    REASONS,
    CleanForm,
    Media,
    MediaState,
    Piece,
    handed_in,
    reason_against,
)
from citizen_reports.model.refusals import (
    MediaDiffers,
    MediaGap,
    MediaNotAPicture,
    MediaNotFound,
    ReportAlreadySubmitted,
    TooManyMedia,
)
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage import contents, first_frames, media_files, reports
from citizen_reports.usecases.recording import audit, bind_trace

STORE_MEDIA = "store_media"
AWAIT_MEDIA = "await_media"
STORED_AT_ONCE = 4


@dataclass(frozen=True)
class Examined:
    """The result of examining a file. If the file cannot be used, `reason` is the code of the
    refusal and `finding` is None; else `reason` is "". `clean` yields the clean form, only once."""

    finding: Finding | None
    reason: str
    clean: AsyncIterator[bytes]


class Examiner(Protocol):
    def examine(self, pieces: AsyncIterator[bytes]) -> AbstractAsyncContextManager[Examined]:
        """Examine a complete file; `pieces` are the file's bytes. Within the context, the clean
        form can be read from the result."""
        ...


class Uploads:
    def __init__(self, db: Database, clock: Clock, examiner: Examiner) -> None:
        self._db = db
        self._clock = clock
        self._examiner = examiner
        # Limits memory: a piece is copied several times while it is stored, but not while waiting.
        self._storing = asyncio.Semaphore(STORED_AT_ONCE)

    async def put(self, report_id: UUID, read: Callable[[], Piece], caller: Caller) -> Media:
        """Store one uploaded piece of a file, and return the file in its new state. After the last
        piece, the whole file is examined.

        `read` returns the piece; it is called only when the piece is stored, so that waiting calls
        hold no copies of their bytes. Raises ReportNotFound, ReportAlreadySubmitted, MediaGap,
        MediaDiffers, TooManyMedia, MediaNotFound if the app has deleted the file, or one of REASONS
        if the file cannot be used.
        """
        item = await self._store(report_id, read, caller)
        if item.is_whole and item.state is MediaState.RECEIVING:
            item = await self.examine(item, caller.scope)
            if item.refused_reason:
                raise _refusal_of(item)
        return item

    async def _store(self, report_id: UUID, read: Callable[[], Piece], caller: Caller) -> Media:
        async with self._storing, self._db.begin(caller.scope) as tx:
            piece = read()
            # The lock makes calls store the pieces of one report one after the other.
            report = await reports.get_for_update(tx, report_id)
            bind_trace(report)
            item = await contents.find_media(tx, report.report_id, piece.media_id)
            if report.status is not Status.OPEN and not self._may_follow(report, item):
                if item is not None and item.is_whole and item.new_part_of(piece) == b"":
                    return item  # a repeated piece: its first response was lost
                raise ReportAlreadySubmitted
            # A refused file may be uploaded anew, also with another content.
            is_again = item is not None and item.state is MediaState.REFUSED and piece.offset == 0
            if item is None or is_again:
                item, is_new = await self._begin(tx, report, piece, is_again=is_again), True
            else:
                is_new = False
            longer = await self._receive(tx, item, piece)
            if is_new or (longer.is_whole and not item.is_whole):
                await self._note(tx, report, longer)
            return longer

    async def _note(self, tx: Tx, report: Report, item: Media) -> None:
        """Record the beginning or the end of an upload. A draft gets a new version, so that a
        concurrent submission with the former files is not stored. For the last piece of a submitted
        report's file, work is scheduled that examines the file if this process ends first."""
        if report.status is Status.OPEN:
            await reports.save_draft(tx, report, report.with_another_file())
        elif item.is_whole:
            now = self._clock()
            await tx.reschedule(AWAIT_MEDIA, _key_of(item), looked_at(item, now))

    async def drop(self, report_id: UUID, media_id: UUID, caller: Caller) -> None:
        """Delete a file of a draft, at the app's request. A repeated call changes nothing.

        Raises ReportNotFound, ReportAlreadySubmitted or MediaNotFound.
        """
        async with self._db.begin(caller.scope) as tx:
            report = await reports.get_for_update(tx, report_id)
            bind_trace(report)
            if await media_files.was_dropped(tx, report.report_id, media_id):
                return
            item = await contents.find_media(tx, report.report_id, media_id)
            if item is None:
                raise MediaNotFound
            if report.status is not Status.OPEN:
                raise ReportAlreadySubmitted
            await media_files.drop(tx, item)
            # The new version prevents a concurrent submission that has read the file.
            await reports.save_draft(tx, report, report.with_another_file())
            audit(tx, "drop_media", report, media=str(media_id))

    def _may_follow(self, report: Report, item: Media | None) -> bool:
        return item is not None and rest_is_taken(report, item, self._clock())

    async def _begin(self, tx: Tx, report: Report, piece: Piece, *, is_again: bool) -> Media:
        report_id = report.report_id
        if not is_again and await media_files.was_dropped(tx, report_id, piece.media_id):
            raise MediaNotFound  # a delayed piece must not restore a deleted file
        if piece.offset > 0:
            raise MediaGap(facts={"received_bytes": "0"})
        await self._require_place(tx, report_id)
        item = Media(report_id, piece.media_id, piece.announced, 0, MediaState.RECEIVING)
        if is_again:
            await contents.save_media(tx, item)
        else:
            contents.add_media(tx, item)
        return item

    async def _require_place(self, tx: Tx, report_id: UUID) -> None:
        """Raise TooManyMedia for a report with MEDIA_MAX files, or MEDIA_SENT_MAX with refused."""
        items = await contents.media_of(tx, report_id)
        if len(handed_in(items)) >= MEDIA_MAX or len(items) >= MEDIA_SENT_MAX:
            raise TooManyMedia(facts={"media_max": str(MEDIA_MAX)})

    async def _receive(self, tx: Tx, item: Media, piece: Piece) -> Media:
        if item.state is MediaState.REFUSED:
            raise _refusal_of(item)
        new = item.new_part_of(piece)
        known = piece.content[: len(piece.content) - len(new)]
        if known and not await media_files.has_bytes(tx, item, piece.offset, known):
            raise MediaDiffers(facts={"received_bytes": str(item.received_bytes)})
        if not new:
            return item
        await media_files.add_chunk(tx, item, item.received_bytes, new)
        longer = replace(item, received_bytes=item.received_bytes + len(new))
        await contents.save_media(tx, longer)
        return longer

    async def examine(self, item: Media, scope: Scope) -> Media:
        """Examine a completely uploaded file, store the result, and return the file in its new
        state. The slow examination runs outside of transactions. Raises MediaDiffers if the file
        was deleted or replaced meanwhile."""
        original = _Hashed(media_files.original_pieces(self._db, scope, item))
        async with self._examiner.examine(original.pieces()) as examined:
            reason = _reason(item, examined, original)
            async with self._db.begin(scope) as tx:
                current = await contents.find_media_for_update(tx, item.report_id, item.media_id)
                if current is None or not current.announced.is_same_file(item.announced):
                    raise MediaDiffers
                if current.state is MediaState.RECEIVING and current.is_whole:
                    current = await self._settled(tx, current, examined, reason)
        return current

    async def _settled(self, tx: Tx, item: Media, examined: Examined, reason: str) -> Media:
        # The report is not locked: operators who act on it would have to wait.
        report = await reports.get(tx, item.report_id)
        settled = await _settle(tx, report, item, examined, reason)
        if settled.state is MediaState.COMPLETE and report.status is not Status.OPEN:
            await tx.schedule(STORE_MEDIA, _key_of(settled), self._clock())
        return settled


def _key_of(item: Media) -> str:
    """The key of scheduled work on a file: "report id:media id"."""
    return f"{item.report_id}:{item.media_id}"


def _refusal_of(item: Media) -> Refusal:
    reason = REASONS.get(item.refused_reason, MediaNotAPicture)
    return reason(facts={"media_id": str(item.media_id), "received_bytes": "0"})


class _Hashed:
    """Yields the pieces of a file, and computes size and SHA-256 of the pieces yielded so far."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            self._digest.update(piece)
            self.size_bytes += len(piece)
            yield piece


def _reason(item: Media, examined: Examined, original: _Hashed) -> str:
    """The code of the refusal for an examined file; "" if the file can be used."""
    announced = item.announced
    is_read = original.size_bytes == announced.total_bytes
    if is_read and original.sha256 != announced.sha256:
        return Reason.DIFFERS
    if examined.finding is None:
        return examined.reason
    return reason_against(examined.finding, announced)


async def _settle(tx: Tx, report: Report, item: Media, examined: Examined, reason: str) -> Media:
    """Store a file as refused for `reason` or, if `reason` is "", as complete, with its clean form,
    when and where it was taken, and its first frame. Return the file in its new state."""
    finding = examined.finding
    if reason or finding is None:
        is_draft = report.status is Status.OPEN
        refused = item.refused(reason) if is_draft else item.to_be_sent_again(reason)
        await contents.save_media(tx, refused)
        await media_files.drop_chunks(tx, refused)
        return refused
    form = _Hashed(examined.clean)
    await media_files.add_clean_form(tx, item, form.pieces())
    clean = CleanForm(form.sha256, form.size_bytes, finding.clean_type)
    complete = item.found(finding, clean)
    if not finding.taken.is_empty:
        await media_files.add_taken(tx, complete, finding.taken, report.partner)
    if finding.first_frame:
        await first_frames.add_frame(tx, complete, finding.first_frame)
    await contents.save_media(tx, complete)
    return complete
