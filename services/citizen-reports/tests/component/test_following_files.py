"""In an emergency the report goes at once with its small files, and the rest of a film follows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import SYSTEM, Scope
from citizen_reports.examination.process import Examiner
from citizen_reports.grpc_api.pieces import piece_reader
from citizen_reports.model.following_files import EXAMINED_WITHIN
from citizen_reports.model.media import Media
from citizen_reports.usecases.following_files import FollowingFiles
from citizen_reports.usecases.uploads import AWAIT_MEDIA, Uploads
from host.scheduler import WaitUntilDue
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Evidence, draft, pieces_of, refused, until
from .sample_media import film, photograph
from .test_first_frames import opened, when_blurred
from .test_media import drop, report_of, rows_of, submit
from .test_retention import shown
from .test_secrecy import sides
from .test_uploads import blurred_media, stored_media

FILM = "video/mp4"


async def begun(
    kaspi: As, category: pb.Category.ValueType = pb.CATEGORY_ROAD_ACCIDENT
) -> tuple[str, list[pb.PutMediaRequest]]:
    """A draft to which a film is being sent: its id, and the pieces that are still to come."""
    given = draft(category=category)
    await kaspi.app("OpenReport", given)
    content = film(seed=next(sides))
    first, *rest = pieces_of(given.report_id, content, content_type=FILM, size=len(content) // 3)
    await kaspi.app("PutMedia", first)
    assert len(rest) >= 2
    return given.report_id, rest


async def states_of(kaspi: As, report_id: str) -> list[tuple[str, str]]:
    return [(one.state, one.refused_reason) for one in (await report_of(kaspi, report_id)).media]


async def test_the_first_picture_is_at_the_desk_while_the_film_is_being_sent(
    kaspi: As, dispatcher: As, evidence: Evidence
) -> None:
    report_id, rest = await begun(kaspi)
    [still] = pieces_of(report_id, photograph())
    await kaspi.app("PutMedia", still)
    receipt = await submit(kaspi, report_id)
    [picture] = await until(lambda: blurred_media(dispatcher, report_id))
    first, _ = await opened(dispatcher, report_id, picture.media_id)
    assert (picture.media_id, first.form) == (still.media_id, "blurred")
    for asked in ({}, {"first_frame": True}):
        refusal = await refused(dispatcher.open_media(report_id, rest[0].media_id, **asked))
        assert refusal.code == "MEDIA_NOT_STORED"
    for piece in rest:
        answer = await kaspi.app("PutMedia", piece)
    assert answer.complete
    assert (await kaspi.app("PutMedia", rest[-1])).complete, "a late repetition is answered"

    async def both() -> Any:
        items = await blurred_media(dispatcher, report_id)
        return items if len(items) == 2 else None

    film_item, _ = await until(both)
    assert film_item.media_id == rest[0].media_id
    assert evidence.kept[film_item.evidence_sha256]
    first, _ = await opened(dispatcher, report_id, film_item.media_id, first_frame=True)
    assert first.form == "blurred"
    assert await submit(kaspi, report_id) == receipt


async def test_what_was_not_begun_does_not_follow_and_nothing_is_taken_back(kaspi: As) -> None:
    report_id, rest = await begun(kaspi)
    await submit(kaspi, report_id)
    [another] = pieces_of(report_id, photograph())
    assert (await refused(kaspi.app("PutMedia", another))).code == "REPORT_ALREADY_SUBMITTED"
    refusal = await refused(drop(kaspi, report_id, rest[0].media_id))
    assert refusal.code == "REPORT_ALREADY_SUBMITTED"
    gap = await refused(kaspi.app("PutMedia", rest[1]))
    assert (gap.code, gap.facts["received_bytes"]) == ("MEDIA_GAP", str(rest[0].offset))


@pytest.mark.parametrize("category", [pb.CATEGORY_INCIDENT, pb.CATEGORY_TRAFFIC_VIOLATION])
async def test_elsewhere_a_report_waits_for_its_files(
    kaspi: As, category: pb.Category.ValueType
) -> None:
    report_id, _ = await begun(kaspi, category)
    submission = pb.SubmitReportRequest(report_id=report_id)
    assert (await refused(kaspi.app("SubmitReport", submission))).code == "MEDIA_INCOMPLETE"
    assert "submit" not in (await report_of(kaspi, report_id)).actions


@pytest.mark.parametrize("turn", range(4))
async def test_a_film_that_ends_while_its_report_is_submitted_is_stored(
    kaspi: As, dispatcher: As, turn: int
) -> None:
    report_id, rest = await begun(kaspi)
    for piece in rest[:-1]:
        await kaspi.app("PutMedia", piece)

    async def a_little_later() -> pb.Receipt:
        await asyncio.sleep(0.15 * turn)
        return await submit(kaspi, report_id)

    async with asyncio.TaskGroup() as group:
        last = group.create_task(kaspi.app("PutMedia", rest[-1]))
        group.create_task(a_little_later())
    assert last.result().complete
    assert await until(lambda: stored_media(dispatcher, report_id))


async def test_the_rest_of_a_report_that_is_a_complaint_by_now_is_for_internal_security(
    kaspi: As, dispatcher: As, security: As, evidence: Evidence
) -> None:
    report_id, rest = await begun(kaspi)
    await submit(kaspi, report_id)
    request = pb.RaiseReportRequest(
        report_id=report_id, category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER, reason="he says so"
    )
    await dispatcher.at_desk("RaiseReport", request)
    for piece in rest:
        await kaspi.app("PutMedia", piece)
    await when_blurred(security, report_id)
    [item] = await until(lambda: stored_media(security, report_id))
    for sha256 in (item.evidence_sha256, item.shown_sha256, item.first_frame_sha256):
        assert evidence.headers[sha256].only_role == "internal_security"
    refusal = await refused(dispatcher.open_media(report_id, item.media_id, first_frame=True))
    assert refusal.code == "REPORT_NOT_FOUND"


def work_at(db: Database, later: timedelta = timedelta()) -> FollowingFiles:
    """The work on files that follow, at another time."""

    def clock() -> datetime:
        return system_clock() + later

    return FollowingFiles(db, clock, Uploads(db, clock, Examiner()))


async def test_what_does_not_follow_in_time_is_refused_and_nothing_of_it_is_kept(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    report_id, rest = await begun(kaspi)
    await submit(kaspi, report_id)
    key = f"{report_id}:{rest[0].media_id}"
    with pytest.raises(WaitUntilDue):
        await work_at(db).check(key)
    assert await states_of(kaspi, report_id) == [("receiving", "")]
    for _ in "12":
        await work_at(db, timedelta(days=1, minutes=1)).check(key)
    assert await states_of(kaspi, report_id) == [("refused", "MEDIA_INCOMPLETE")]
    assert await rows_of(db, "media_chunks", report_id) == 0
    assert not (await shown(dispatcher, report_id)).media
    for asked in ({}, {"first_frame": True}):
        refusal = await refused(dispatcher.open_media(report_id, rest[0].media_id, **asked))
        assert refusal.code == "MEDIA_REFUSED"
    refusal = await refused(kaspi.app("PutMedia", rest[0]))
    assert refusal.code == "REPORT_ALREADY_SUBMITTED"


async def moved_to(db: Database, key: str) -> float:
    """In how many seconds the work on a file that follows is due."""
    query = text("SELECT extract(epoch FROM due_at - now()) FROM work WHERE kind = :k AND key = :w")
    async with db.begin(SYSTEM) as tx:
        return float(await tx.scalar(query.bindparams(k=AWAIT_MEDIA, w=key)))


class Cut(Exception):
    """The process ends."""


@pytest.mark.parametrize("is_submitted", [True, False])
async def test_a_file_whose_examination_was_cut_off_is_examined_by_work(
    kaspi: As, dispatcher: As, db: Database, is_submitted: bool
) -> None:
    """Its last piece is committed, and the app does not call again."""
    report_id, rest = await begun(kaspi)
    if is_submitted:
        await submit(kaspi, report_id)

    class Ended(Uploads):
        async def examine(self, item: Media, scope: Scope) -> Media:
            raise Cut

    cut = Ended(db, system_clock, Examiner())
    caller = Caller("partner", "kaspi")
    for piece in rest[:-1]:
        await cut.put(UUID(report_id), piece_reader(piece), caller)
    with pytest.raises(Cut):
        await cut.put(UUID(report_id), piece_reader(rest[-1]), caller)
    if not is_submitted:
        await submit(kaspi, report_id)
    key = f"{report_id}:{rest[0].media_id}"
    assert 0 < await moved_to(db, key) <= EXAMINED_WITHIN.total_seconds()
    for _ in "12":
        await work_at(db).check(key)
    [item] = await until(lambda: blurred_media(dispatcher, report_id))
    assert item.first_frame_sha256


async def test_a_file_that_is_refused_when_it_follows_is_sent_again_as_it_was_announced(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    given = draft(category=pb.CATEGORY_ROAD_ACCIDENT)
    await kaspi.app("OpenReport", given)
    content = film(seed=next(sides))
    pieces = pieces_of(given.report_id, content, content_type=FILM, size=len(content) // 2 + 1)
    await kaspi.app("PutMedia", pieces[0])
    await submit(kaspi, given.report_id)
    broken = pb.PutMediaRequest()
    broken.CopyFrom(pieces[1])
    broken.content = bytes(len(broken.content))
    assert (await refused(kaspi.app("PutMedia", broken))).code == "MEDIA_DIFFERS"
    assert await states_of(kaspi, given.report_id) == [("receiving", "MEDIA_DIFFERS")]
    gap = await refused(kaspi.app("PutMedia", broken))
    assert (gap.code, gap.facts["received_bytes"]) == ("MEDIA_GAP", "0")
    assert await rows_of(db, "media_chunks", given.report_id) == 0
    [other] = pieces_of(given.report_id, photograph(), media_id=pieces[0].media_id)
    assert (await refused(kaspi.app("PutMedia", other))).code == "MEDIA_DIFFERS"
    for piece in pieces:
        await kaspi.app("PutMedia", piece)
    assert await until(lambda: stored_media(dispatcher, given.report_id))
    assert {reason for _, reason in await states_of(kaspi, given.report_id)} == {""}
