"""Scheduled work on files whose upload continues after their report was submitted."""

from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.scheduler import WaitUntilDue

from citizen_reports.model.following_files import NOT_ARRIVED, follows_until
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.report import Report
from citizen_reports.storage import contents, media_files, reports
from citizen_reports.usecases.recording import audit, bind_trace
from citizen_reports.usecases.uploads import STORE_MEDIA, Uploads


class FollowingFiles:
    def __init__(self, db: Database, clock: Clock, uploads: Uploads) -> None:
        """`db`, and the database of `uploads`, need the log-in for background work."""
        self._db = db
        self._clock = clock
        self._uploads = uploads

    async def check(self, key: str) -> None:
        """Scheduled work AWAIT_MEDIA: examine a completely uploaded file, unless it was examined,
        and schedule its move to the evidence store. Refuse a file whose upload was not completed
        within FOLLOW_LIFE of the submission. `key` is "report id:media id".

        Raises WaitUntilDue while the upload may still continue, or MediaDiffers if the file was
        replaced by another one during the examination.
        """
        report_id, media_id = map(UUID, key.split(":"))
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            item = await contents.find_media(tx, report_id, media_id)
        if item is not None and item.state is MediaState.RECEIVING and item.is_whole:
            item = await self._uploads.examine(item, SYSTEM)
        if item is None:
            return
        if item.state is MediaState.COMPLETE:
            async with self._db.begin(SYSTEM) as tx:
                await tx.schedule(STORE_MEDIA, key, self._clock())
        elif item.state is MediaState.RECEIVING:
            await self._end(report, item)

    async def _end(self, report: Report, item: Media) -> None:
        until = follows_until(report)
        wait = until - self._clock() if until else None
        if wait is not None and wait.total_seconds() > 0:
            raise WaitUntilDue(wait)
        async with self._db.begin(SYSTEM) as tx:
            current = await contents.find_media_for_update(tx, item.report_id, item.media_id)
            if current is None or current.state is not MediaState.RECEIVING or current.is_whole:
                return  # the call that stored the last piece has rescheduled this work
            await contents.save_media(tx, current.refused(current.refused_reason or NOT_ARRIVED))
            await media_files.drop_chunks(tx, current)
            audit(tx, "end_upload", report, media=str(item.media_id))
