"""Resumable uploads of pictures and films, stored encrypted until they are in the evidence
store."""

import asyncio
from dataclasses import replace
from uuid import UUID

from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Tx

from citizen_reports.model.media import (
    MEDIA_MAX,
    Media,
    MediaState,
    Piece,
    is_as_announced,
)
from citizen_reports.model.refusals import (
    MediaDiffers,
    MediaGap,
    MediaNotAPicture,
    ReportAlreadySubmitted,
    TooManyMedia,
)
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.pictures import is_picture_or_film
from citizen_reports.storage import contents, reports
from citizen_reports.usecases.recording import bind_trace


class Uploads:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, report_id: UUID, piece: Piece, caller: Caller) -> Media:
        """Store one uploaded piece of a file and return the file's new state. After the last piece
        the whole file is checked.

        Raises ReportNotFound, ReportAlreadySubmitted, MediaGap, MediaDiffers, MediaNotAPicture or
        TooManyMedia.
        """
        async with self._db.begin(caller.scope) as tx:
            # Locked: pieces of one report are stored one at a time, and none after submitting.
            report = await reports.get_for_update(tx, report_id)
            bind_trace(report)
            item = await self._media(tx, report_id, piece)
            if report.status is not Status.OPEN:
                if item is not None and item.new_part_of(piece) == b"":
                    return item  # a repeated piece whose answer was lost
                raise ReportAlreadySubmitted
            item = item or await self._begin(tx, report, piece)
            item = await self._receive(tx, item, piece)
        if item.is_whole and item.state is MediaState.RECEIVING:
            return await self._finish(item, caller)
        return item

    async def _media(self, tx: Tx, report_id: UUID, piece: Piece) -> Media | None:
        item = await contents.find_media(tx, report_id, piece.media_id)
        if item is not None and item.state is MediaState.REFUSED and piece.offset == 0:
            # Sent again after it was refused: it starts anew, and may be another file.
            item = Media(report_id, piece.media_id, piece.announced, 0, MediaState.RECEIVING)
            await contents.save_media(tx, item)
        return item

    async def _begin(self, tx: Tx, report: Report, piece: Piece) -> Media:
        report_id = report.report_id
        if piece.offset > 0:
            raise MediaGap(facts={"received_bytes": "0"})
        if len(await contents.media_of(tx, report_id)) >= MEDIA_MAX:
            raise TooManyMedia(facts={"media_max": str(MEDIA_MAX)})
        item = Media(report_id, piece.media_id, piece.announced, 0, MediaState.RECEIVING)
        contents.add_media(tx, item)
        # A submission that has read the media before this one is not stored.
        await reports.save_draft(tx, report, report.with_another_file())
        return item

    async def _receive(self, tx: Tx, item: Media, piece: Piece) -> Media:
        if item.state is MediaState.REFUSED:
            raise MediaNotAPicture(facts={"media_id": str(item.media_id)})
        new = item.new_part_of(piece)
        if not new:
            return item
        await contents.add_chunk(tx, item, item.received_bytes, new)
        longer = replace(item, received_bytes=item.received_bytes + len(new))
        await contents.save_media(tx, longer)
        return longer

    async def _finish(self, item: Media, caller: Caller) -> Media:
        """Check the whole file and store the result. The check is slow and runs outside of
        transactions."""
        async with self._db.begin(caller.scope) as tx:
            content = b"".join(await contents.chunks_of(tx, item))
        announced = item.announced
        same = await asyncio.to_thread(is_as_announced, content, announced)
        good = same and await asyncio.to_thread(is_picture_or_film, content, announced.content_type)
        state = MediaState.COMPLETE if good else MediaState.REFUSED
        async with self._db.begin(caller.scope) as tx:
            current = await contents.find_media_for_update(tx, item.report_id, item.media_id)
            if current is None or current.announced != announced:
                raise MediaDiffers
            if current.state is MediaState.RECEIVING:
                current = replace(
                    current, state=state, received_bytes=announced.total_bytes if good else 0
                )
                await contents.save_media(tx, current)
                if not good:
                    await contents.drop_chunks(tx, current)
        if not same:
            raise MediaDiffers(facts={"received_bytes": "0"})
        if not good:
            raise MediaNotAPicture(facts={"media_id": str(item.media_id)})
        return current
