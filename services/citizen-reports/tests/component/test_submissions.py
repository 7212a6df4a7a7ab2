"""A submission holds no lock while it decides: what it has not seen refuses or repeats it."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from citizen_reports.examination.process import Examiner
from citizen_reports.model.media import Announced, Media, Piece
from citizen_reports.model.refusals import MediaIncomplete
from citizen_reports.storage import reports
from citizen_reports.usecases.intake import Intake
from citizen_reports.usecases.uploads import Uploads
from sqlalchemy import text

from .inside import EURASIAN, intake_on, opened, until_a_lock_is_waited_for

FILE = b"the first of two pieces"


def first_piece() -> Piece:
    announced = Announced(2 * len(FILE), hashlib.sha256(2 * FILE).hexdigest(), "image/jpeg")
    return Piece(media_id=new_id(), announced=announced, offset=0, content=FILE)


class _SubmittedMeanwhile(Uploads):
    """Uploads during which the report is submitted, once the row of the new file is added."""

    def __init__(self, db: Database, intake: Intake) -> None:
        super().__init__(db, system_clock, Examiner())
        self.db, self.intake = db, intake
        self.submission: asyncio.Future[Any] | None = None

    async def _receive(self, tx: Tx, item: Media, piece: Piece) -> Media:
        submission = self.intake.submit(item.report_id, EURASIAN)
        self.submission = asyncio.ensure_future(submission)
        await until_a_lock_is_waited_for(self.db)
        return await super()._receive(tx, item, piece)


async def test_a_file_whose_upload_begins_meanwhile_is_not_left_behind(db: Database) -> None:
    intake = await intake_on(db)
    report_id = await opened(intake)
    uploads = _SubmittedMeanwhile(db, intake)
    await uploads.put(report_id, first_piece, EURASIAN)
    assert uploads.submission is not None
    with pytest.raises(MediaIncomplete):
        await uploads.submission


async def test_a_locked_report_holds_up_no_other_and_is_submitted_at_last(db: Database) -> None:
    intake = await intake_on(db)
    ids = [await opened(intake) for _ in range(8)]
    async with db.begin(EURASIAN.scope) as tx:
        await reports.get_for_update(tx, ids[0])
        held = asyncio.ensure_future(intake.submit(ids[0], EURASIAN))
        async with asyncio.timeout(60):
            others = await asyncio.gather(*(intake.submit(each, EURASIAN) for each in ids[1:]))
        assert not held.done()
    assert len({receipt.number for receipt in (*others, await held)}) == 8


async def test_submissions_of_one_report_at_once_get_one_receipt(db: Database) -> None:
    intake = await intake_on(db)
    report_id = await opened(intake)
    receipts = await asyncio.gather(*(intake.submit(report_id, EURASIAN) for _ in range(8)))
    assert len({receipt.number for receipt in receipts}) == 1
    assert await _counted(db, report_id) == {"changes": 2, "outbox": 2}


async def _counted(db: Database, report_id: UUID) -> dict[str, int]:
    queries = {
        "changes": "SELECT count(*) FROM changes WHERE report_id = :id",
        "outbox": "SELECT count(*) FROM outbox WHERE aggregate = 'report:' || CAST(:id AS text)",
    }
    async with db.begin(SYSTEM) as tx:
        values = {"id": report_id}
        return {
            name: await tx.scalar(text(query).bindparams(**values))
            for name, query in queries.items()
        }
