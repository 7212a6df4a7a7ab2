"""Scheduled work that closes reports, deletes drafts, stores files and records outcomes."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from host.scheduler import WaitUntilDue

from citizen_reports.model.blurred_forms import is_photograph
from citizen_reports.model.findings import PREVIEW_TYPE
from citizen_reports.model.law import Law
from citizen_reports.model.media import (
    EvidenceFile,
    Media,
    MediaState,
    Stored,
)
from citizen_reports.model.proposed_plates import wants_plates
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage import contents, first_frames, media_files, reports
from citizen_reports.usecases.blurring import BLUR_MEDIA, in_pieces
from citizen_reports.usecases.intake import DRAFT_LIFE
from citizen_reports.usecases.plate_proposals import PROPOSE_PLATES
from citizen_reports.usecases.recording import SYSTEM_ACTOR, ReportRecorder, audit, bind_trace

RECORD_OUTCOME = "record_outcome"


class EvidenceStore(Protocol):
    async def store(
        self, file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
    ) -> Stored:
        """Store a file of `report`; `pieces` are the file's bytes. Returns the hashes of the
        original and of the form that operators are shown. Raises a Refusal."""
        ...


class FollowUp:
    """Handlers of scheduled work. A handler may run more than once for one piece of work, so it
    first checks the report's present state. Handlers that may be called too early, as after the
    clock was set back or the work was moved in the database, raise WaitUntilDue."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        law: Law,
        recorder: ReportRecorder,
        evidence: EvidenceStore,
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._evidence = evidence

    async def close(self, key: str) -> None:
        """Close a report whose answer was not disputed in time. `key` is "report id:version", with
        the version that the report had right after the answer. Raises WaitUntilDue while the
        report's last answer can be disputed."""
        report_id, version = key.split(":")
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, UUID(report_id))
            bind_trace(report)
            answered_since = report.status is Status.ANSWERED and report.version >= int(version)
            if not answered_since or report.answered_at is None:
                return
            window = timedelta(days=self._law.deadlines.table.dispute_days)
            self._not_before(report.answered_at + window)
            await self._recorder.record(
                tx, report, report.close(), Decision("close"), at=self._clock(), actor=SYSTEM_ACTOR
            )

    async def drop_draft(self, key: str) -> None:
        """Delete a draft that was not submitted within DRAFT_LIFE. `key` is the report's id. Raises
        WaitUntilDue before the end of that time."""
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.find_for_update(tx, UUID(key))
            if report is None or report.status is not Status.OPEN:
                return
            bind_trace(report)
            self._not_before(report.opened_at + DRAFT_LIFE)
            await reports.drop_draft(tx, report.report_id)
            audit(tx, "drop_draft", report)

    async def store_media(self, key: str) -> None:
        """Move a completely uploaded file and its clean form to the evidence store, and schedule
        the reading of its plates and its blurring where needed. The first frame of a film is moved
        before the film. `key` is "report id:media id"."""
        report_id, media_id = map(UUID, key.split(":"))
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            item = await contents.find_media(tx, report_id, media_id)
            if item is None or item.state is not MediaState.COMPLETE:
                return
        await self._store_first_frame(item, report)
        stored = await self._store(item, report)
        async with self._db.begin(SYSTEM) as tx:
            current = await contents.find_media_for_update(tx, report_id, media_id)
            if current is None or current.state is not MediaState.COMPLETE:
                return
            kept = current.stored_as(stored)
            await contents.save_media(tx, kept)
            if wants_plates(report, kept):
                await tx.schedule(PROPOSE_PLATES, key, self._clock())
            if is_photograph(kept):
                await tx.schedule(BLUR_MEDIA, key, self._clock())
            await media_files.drop_chunks(tx, current)

    async def _store_first_frame(self, item: Media, report: Report) -> None:
        async with self._db.begin(SYSTEM) as tx:
            picture = await first_frames.waiting_frame(tx, item)
        if picture is None:
            return
        sha256 = hashlib.sha256(picture).hexdigest()
        file = EvidenceFile(sha256, PREVIEW_TYPE, sha256)
        await self._evidence.store(file, report, in_pieces(picture))
        async with self._db.begin(SYSTEM) as tx:
            await first_frames.note_stored(tx, item, sha256)
            key = f"{item.report_id}:{item.media_id}"
            await tx.schedule(BLUR_MEDIA, key, self._clock())

    async def _store(self, item: Media, report: Report) -> Stored:
        """Store the clean form, then the original, which is stored with the clean form's hash."""
        announced, clean = item.announced, item.clean
        if clean is not None:
            form = EvidenceFile(clean.sha256, clean.content_type, clean.sha256)
            pieces = media_files.clean_pieces(self._db, SYSTEM, item)
            await self._evidence.store(form, report, pieces)
        shown = clean.sha256 if clean else ""
        original = EvidenceFile(announced.sha256, announced.content_type, shown)
        pieces = media_files.original_pieces(self._db, SYSTEM, item)
        return await self._evidence.store(original, report, pieces)

    async def note_outcome(self, tx: Tx, report_id: UUID, outcome: str) -> None:
        """Schedule `record_outcome` for a report, in the transaction `tx`. Raises ReportNotFound.

        The report is not locked here: `tx` handles many events, and transactions that lock many
        reports could deadlock.
        """
        await reports.get(tx, report_id)
        await tx.schedule(RECORD_OUTCOME, f"{report_id}:{outcome}", self._clock())

    async def record_outcome(self, key: str) -> None:
        """Record what became of a report's accepted traffic evidence, unless the recorded outcome
        is of the same stage or a later one (see OUTCOMES). `key` is "report id:outcome"."""
        report_id, outcome = key.split(":")
        now = self._clock()
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, UUID(report_id))
            bind_trace(report)
            known = report.with_outcome(outcome)
            if known is not report:
                decision = Decision("record_outcome", {"outcome": outcome})
                await self._recorder.record(
                    tx, report, known, decision, at=now, actor=SYSTEM_ACTOR, note=outcome
                )

    def _not_before(self, moment: datetime) -> None:
        wait = moment - self._clock()
        if wait > timedelta():
            raise WaitUntilDue(wait)
