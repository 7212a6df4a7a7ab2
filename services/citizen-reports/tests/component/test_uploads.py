"""Pictures in pieces: resumed where they broke, checked whole, kept as evidence bit for bit."""

import asyncio
import hashlib
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Evidence, complaint, draft, jpeg, pieces_of, refused, until


@pytest.fixture(scope="module")
def picture() -> bytes:
    return jpeg(1600, noise=True)


async def opened(kaspi: As) -> str:
    given = draft()
    await kaspi.app("OpenReport", given)
    return given.report_id


async def test_an_upload_that_broke_in_the_middle_goes_on_from_what_arrived(
    kaspi: As, picture: bytes, evidence: Evidence, dispatcher: As
) -> None:
    report_id = await opened(kaspi)
    pieces = pieces_of(report_id, picture, size=100_000)
    assert len(pieces) > 4
    for piece in pieces[:2]:
        answer = await kaspi.app("PutMedia", piece)
    assert (answer.received_bytes, answer.complete) == (200_000, False)
    gap = await refused(kaspi.app("PutMedia", pieces[3]))
    assert (gap.code, gap.facts["received_bytes"]) == ("MEDIA_GAP", "200000")
    submit = pb.SubmitReportRequest(report_id=report_id)
    assert (await refused(kaspi.app("SubmitReport", submit))).code == "MEDIA_INCOMPLETE"
    assert (await kaspi.app("PutMedia", pieces[1])).received_bytes == 200_000
    for piece in pieces[2:]:
        answer = await kaspi.app("PutMedia", piece)
    assert (answer.received_bytes, answer.complete) == (len(picture), True)
    assert (await kaspi.app("PutMedia", pieces[-1])).complete
    await kaspi.app("SubmitReport", submit)
    assert (await kaspi.app("PutMedia", pieces[-1])).complete, "a late repetition is answered"
    late = pieces_of(report_id, jpeg())[0]
    assert (await refused(kaspi.app("PutMedia", late))).code == "REPORT_ALREADY_SUBMITTED"

    digest = hashlib.sha256(picture).hexdigest()
    media = await until(lambda: stored_media(dispatcher, report_id))
    assert [item.evidence_sha256 for item in media] == [digest]
    assert evidence.kept[digest] == picture, "the original, bit for bit"


async def test_pieces_are_sealed_and_gone_once_the_whole_is_evidence(
    kaspi: As, evidence: Evidence, db: Database, dispatcher: As
) -> None:
    report_id, content = await opened(kaspi), jpeg(80)
    evidence.away = True
    try:
        await kaspi.app("PutMedia", pieces_of(report_id, content)[0])
        await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=report_id))
        async with db.begin(SYSTEM) as tx:
            query = text("SELECT sealed FROM media_chunks WHERE report_id = :id")
            sealed = bytes(await tx.scalar(query.bindparams(id=UUID(report_id))))
        assert content not in sealed and content[:20] not in sealed
        await asyncio.sleep(1)
        assert not await stored_media(dispatcher, report_id)
    finally:
        evidence.away = False
    assert await until(lambda: stored_media(dispatcher, report_id))
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT count(*) FROM media_chunks WHERE report_id = :id")
        assert await tx.scalar(query.bindparams(id=UUID(report_id))) == 0


async def test_media_of_a_complaint_are_for_internal_security_alone(
    kaspi: As, evidence: Evidence
) -> None:
    # Sides that no other test draws: the same picture would be the same evidence.
    for given, role, side in ((complaint(), "internal_security", 91), (draft(), "", 93)):
        content = jpeg(side)
        await kaspi.app("OpenReport", given)
        await kaspi.app("PutMedia", pieces_of(given.report_id, content)[0])
        await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
        digest = hashlib.sha256(content).hexdigest()
        await until(partial(kept, evidence, digest))
        assert evidence.headers[digest].only_role == role


async def kept(evidence: Evidence, digest: str) -> bool:
    return digest in evidence.kept


async def test_content_that_is_not_what_was_announced_is_refused(kaspi: As) -> None:
    report_id = await opened(kaspi)
    wrong = pieces_of(report_id, jpeg(), sha256="0" * 64)[0]
    assert (await refused(kaspi.app("PutMedia", wrong))).code == "MEDIA_DIFFERS"
    first = pieces_of(report_id, jpeg(300, noise=True), size=1000)
    await kaspi.app("PutMedia", first[0])
    first[1].total_bytes += 1
    assert (await refused(kaspi.app("PutMedia", first[1]))).code == "MEDIA_DIFFERS"


async def test_limits_on_size_type_and_number_are_refused_by_name(kaspi: As) -> None:
    report_id = await opened(kaspi)
    big = pieces_of(report_id, jpeg(), total_bytes=21 * 1024 * 1024)[0]
    assert (await refused(kaspi.app("PutMedia", big))).code == "MEDIA_TOO_LARGE"
    long = pieces_of(report_id, b"x" * 600_000, size=600_000)[0]
    assert (await refused(kaspi.app("PutMedia", long))).code == "MEDIA_TOO_LARGE"
    pdf = pieces_of(report_id, b"%PDF", content_type="application/pdf")[0]
    assert (await refused(kaspi.app("PutMedia", pdf))).code == "MEDIA_TYPE_UNKNOWN"
    for _ in range(10):
        await kaspi.app("PutMedia", pieces_of(report_id, jpeg())[0])
    eleventh = pieces_of(report_id, jpeg())[0]
    assert (await refused(kaspi.app("PutMedia", eleventh))).code == "TOO_MANY_MEDIA"
    nowhere = pieces_of(str(new_id()), jpeg())[0]
    assert (await refused(kaspi.app("PutMedia", nowhere))).code == "REPORT_NOT_FOUND"


async def test_the_same_piece_sent_in_parallel_is_taken_once(kaspi: As) -> None:
    report_id = await opened(kaspi)
    piece = pieces_of(report_id, jpeg(120))[0]
    answers = await asyncio.gather(*(kaspi.app("PutMedia", piece) for _ in range(6)))
    assert all(answer.complete for answer in answers)
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert report.media_count == 1


async def stored_media(dispatcher: As, report_id: str) -> list[Any]:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    media = (await dispatcher.at_desk("GetReport", request)).report.media
    return [item for item in media if item.evidence_sha256]


async def blurred_media(dispatcher: As, report_id: str) -> list[Any]:
    return [item for item in await stored_media(dispatcher, report_id) if item.blurred_sha256]
