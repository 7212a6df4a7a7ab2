"""Photographs, films and voice of a report: what is taken, refused, taken back and shown."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psutil
import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from PIL import Image
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Evidence, jpeg, pieces_of, refused, until
from .sample_media import (
    LATITUDE,
    LONGITUDE,
    SECRET,
    exif,
    film,
    photograph,
    pixel_bomb,
    recording,
)
from .test_secrecy import assigned
from .test_uploads import opened, stored_media

MIB = 1024 * 1024
# What a service that reads whole files would hold of these is several times as much.
GROWTH_MAX = 32 * MIB


async def report_of(kaspi: As, report_id: str) -> pb.Report:
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert isinstance(report, pb.Report)
    return report


async def submit(kaspi: As, report_id: str) -> pb.Receipt:
    answer = await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=report_id))
    assert isinstance(answer.receipt, pb.Receipt)
    return answer.receipt


async def drop(kaspi: As, report_id: str, media_id: str) -> pb.Report:
    request = pb.DropMediaRequest(report_id=report_id, media_id=media_id)
    report = (await kaspi.app("DropMedia", request)).report
    assert isinstance(report, pb.Report)
    return report


async def rows_of(db: Database, table: str, report_id: str) -> int:
    query = text(f"SELECT count(*) FROM {table} WHERE report_id = :id")
    async with db.begin(SYSTEM) as tx:
        return int(await tx.scalar(query.bindparams(id=UUID(report_id))))


async def test_voice_film_and_photograph_reach_the_desk_in_their_clean_form(
    kaspi: As, dispatcher: As, evidence: Evidence
) -> None:
    report_id = await opened(kaspi)
    sent = {
        "image/heic": photograph("HEIF", exif=exif()),
        "video/3gp": film("3gp"),
        "AUDIO/MP3": recording("mp3", audio="libmp3lame", rate=16000),
    }
    for announced, content in sent.items():
        for piece in pieces_of(report_id, content, content_type=announced):
            answer = await kaspi.app("PutMedia", piece)
        assert answer.complete
    listed = (await report_of(kaspi, report_id)).media
    found = ["image/heic", "video/3gpp", "audio/mpeg"]
    assert [(item.state, item.content_type) for item in listed] == [
        ("complete", content_type) for content_type in found
    ]
    await submit(kaspi, report_id)
    items = await until(lambda: all_stored(dispatcher, report_id, 3))
    await assigned(dispatcher, report_id)
    for item, content, shown in zip(
        items, sent.values(), ("image/jpeg", "video/3gpp", "audio/mpeg"), strict=True
    ):
        assert evidence.kept[item.evidence_sha256] == content, "the original, bit for bit"
        answers = await dispatcher.open_media(report_id, item.media_id)
        clean = b"".join(answer.content for answer in answers)
        assert answers[0].content_type == shown
        assert hashlib.sha256(clean).hexdigest() == item.shown_sha256 != item.evidence_sha256
        assert SECRET.encode() not in clean
    assert {item.state for item in (await report_of(kaspi, report_id)).media} == {"stored"}


async def all_stored(dispatcher: As, report_id: str, count: int) -> list[Any]:
    items = await stored_media(dispatcher, report_id)
    return items if len(items) == count else []


async def test_voice_alone_is_no_evidence_of_a_traffic_violation(
    kaspi: As, as_: Callable[..., As]
) -> None:
    report_id, inspector = await opened(kaspi), as_(operator="inspector-almaty")
    voice = recording("amr", audio="libopencore_amrnb")
    await kaspi.app("PutMedia", pieces_of(report_id, voice, content_type="audio/amr")[0])
    await submit(kaspi, report_id)
    await until(lambda: stored_media(inspector, report_id))
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    report = (await inspector.at_desk("GetReport", request)).report
    assert "accept_traffic_evidence" not in report.actions
    accept = pb.AcceptTrafficEvidenceRequest(
        report_id=report_id, plate="453DXA12", offence_code="RED_LIGHT"
    )
    refusal = await refused(inspector.at_desk("AcceptTrafficEvidence", accept))
    assert (refusal.code, refusal.facts["waiting"]) == ("NO_EVIDENCE", "0")


async def test_place_and_time_are_for_those_alone_who_may_see_who_reported(
    kaspi: As, as_: Callable[..., As], evidence: Evidence, db: Database
) -> None:
    report_id, content = await opened(kaspi), photograph(exif=exif())
    await kaspi.app("PutMedia", pieces_of(report_id, content)[0])
    await submit(kaspi, report_id)
    dispatcher, inspector = (as_(operator=f"{role}-almaty") for role in ("dispatcher", "inspector"))
    [item] = await until(lambda: stored_media(dispatcher, report_id))
    assert item.taken_at.seconds == 1795415400  # 2026-11-23 11:30 in Almaty
    assert (item.taken_latitude, item.taken_longitude) == (LATITUDE, LONGITUDE)
    [hidden] = await stored_media(inspector, report_id)
    assert not hidden.HasField("taken_at") and not hidden.HasField("taken_latitude")
    await assigned(dispatcher, report_id)
    for reader in (dispatcher, inspector):
        answers = await reader.open_media(report_id, item.media_id)
        clean = b"".join(answer.content for answer in answers)
        assert SECRET.encode() not in clean
        with Image.open(io.BytesIO(clean)) as image:
            assert not image.getexif()
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT sealed FROM media_taken WHERE report_id = :id")
        sealed = bytes(await tx.scalar(query.bindparams(id=UUID(report_id))))
    assert b"43.25" not in sealed and b"latitude" not in sealed


@pytest.mark.parametrize(
    ("announced", "content", "reason"),
    [
        ("image/jpeg", b"\xff\xd8\xff\xe0 not really" * 10, "MEDIA_NOT_A_PICTURE"),
        ("image/jpeg", jpeg(200, noise=True)[:-3000], "MEDIA_NOT_A_PICTURE"),
        ("video/mp4", b"\x00\x00\x00\x18ftypmp42<html>", "MEDIA_NOT_A_PICTURE"),
        ("image/png", b"<svg onload='alert(1)'/>", "MEDIA_KIND_NOT_TAKEN"),
        ("video/mp4", photograph("HEIF"), "MEDIA_OTHER_THAN_ANNOUNCED"),
        ("video/mp4", recording("ipod", audio="aac"), "MEDIA_OTHER_THAN_ANNOUNCED"),
        ("audio/mp4", jpeg(), "MEDIA_OTHER_THAN_ANNOUNCED"),
        ("image/png", pixel_bomb(), "MEDIA_BEYOND_LIMITS"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_and_never_blocks_the_report(
    kaspi: As, dispatcher: As, db: Database, announced: str, content: bytes, reason: str
) -> None:
    report_id = await opened(kaspi)
    bad = pieces_of(report_id, content, content_type=announced)[0]
    assert (await refused(kaspi.app("PutMedia", bad))).code == reason
    report = await report_of(kaspi, report_id)
    [item] = report.media
    assert (item.media_id, item.state, item.refused_reason) == (bad.media_id, "refused", reason)
    assert (item.received_bytes, report.media_count) == (0, 0)
    assert await rows_of(db, "media_chunks", report_id) == 0
    await submit(kaspi, report_id)
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    assert not (await dispatcher.at_desk("GetReport", request)).report.media
    assert (await refused(kaspi.app("PutMedia", bad))).code == "REPORT_ALREADY_SUBMITTED"


async def test_a_refused_file_can_be_sent_again_and_takes_no_place(kaspi: As) -> None:
    report_id = await opened(kaspi)
    for _ in range(11):
        bad = pieces_of(report_id, b"GIF89a", content_type="image/png")[0]
        assert (await refused(kaspi.app("PutMedia", bad))).code == "MEDIA_KIND_NOT_TAKEN"
    later = pieces_of(report_id, b"GIF89a" * 2, media_id=bad.media_id, size=6)[1]
    assert (await refused(kaspi.app("PutMedia", later))).code == "MEDIA_KIND_NOT_TAKEN"
    for media_id in [bad.media_id, *(str(new_id()) for _ in range(9))]:
        good = pieces_of(report_id, jpeg(), media_id=media_id)[0]
        assert (await kaspi.app("PutMedia", good)).complete
    full = pieces_of(report_id, jpeg())[0]
    assert (await refused(kaspi.app("PutMedia", full))).code == "TOO_MANY_MEDIA"
    assert (await report_of(kaspi, report_id)).media_count == 10


async def test_what_types_are_called_does_not_matter_and_unknown_ones_are_refused(
    kaspi: As,
) -> None:
    report_id = await opened(kaspi)
    for name in (
        "image/jpg",
        "IMAGE/JPEG",
        "image/heic",
    ):  # of the same family: the content decides
        good = pieces_of(report_id, jpeg(), content_type=name)[0]
        assert (await kaspi.app("PutMedia", good)).complete
    assert {one.content_type for one in (await report_of(kaspi, report_id)).media} == {"image/jpeg"}
    for name in ("image/svg+xml", "text/html", "application/zip", "", "image/jpeg\x00"):
        bad = pieces_of(report_id, jpeg(), content_type=name)[0]
        assert (await refused(kaspi.app("PutMedia", bad))).code == "MEDIA_TYPE_UNKNOWN"


async def test_a_file_is_taken_back_with_all_that_was_sent_of_it(kaspi: As, db: Database) -> None:
    report_id = await opened(kaspi)
    content = photograph(size=(1600, 1200), exif=exif(), quality=95)
    whole = pieces_of(report_id, jpeg())[0]
    await kaspi.app("PutMedia", whole)
    begun = pieces_of(report_id, content)
    await kaspi.app("PutMedia", begun[0])
    assert (
        await refused(kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=report_id)))
    ).code == "MEDIA_INCOMPLETE"
    for _ in range(2):  # again, after a lost answer
        report = await drop(kaspi, report_id, begun[0].media_id)
        assert [item.media_id for item in report.media] == [whole.media_id]
    late = await refused(kaspi.app("PutMedia", begun[0]))
    assert late.code == "MEDIA_NOT_FOUND", "a late piece does not bring it back"
    assert (await drop(kaspi, report_id, whole.media_id)).media_count == 0
    for table in ("media", "media_chunks", "clean_chunks", "media_taken"):
        assert await rows_of(db, table, report_id) == 0
    await submit(kaspi, report_id)
    await drop(kaspi, report_id, whole.media_id)


async def test_only_a_draft_of_ones_own_gives_files_back(kaspi: As, halyk: As) -> None:
    report_id = await opened(kaspi)
    piece = pieces_of(report_id, jpeg())[0]
    await kaspi.app("PutMedia", piece)
    for media_id in (str(new_id()), "nonsense"):
        assert (await refused(drop(kaspi, report_id, media_id))).code == "MEDIA_NOT_FOUND"
    for report in (report_id, str(new_id())):
        assert (await refused(drop(halyk, report, piece.media_id))).code == "REPORT_NOT_FOUND"
    await submit(kaspi, report_id)
    refusal = await refused(drop(kaspi, report_id, piece.media_id))
    assert refusal.code == "REPORT_ALREADY_SUBMITTED"


async def test_a_piece_sent_again_with_other_bytes_is_refused(kaspi: As) -> None:
    report_id, content = await opened(kaspi), jpeg(300, noise=True)
    pieces = pieces_of(report_id, content, size=10_000)
    for piece in pieces[:3]:
        await kaspi.app("PutMedia", piece)
    assert (await kaspi.app("PutMedia", pieces[1])).received_bytes == 30_000
    across = pieces_of(report_id, content, size=25_000, media_id=pieces[0].media_id)[
        1
    ]  # of what arrived, and what did not
    other = pb.PutMediaRequest()
    for right in (pieces[1], across):
        other.CopyFrom(right)
        other.content = b"X" + right.content[1:]
        assert (await refused(kaspi.app("PutMedia", other))).code == "MEDIA_DIFFERS"
    assert (await kaspi.app("PutMedia", across)).received_bytes == 50_000
    for piece in pieces[5:]:
        answer = await kaspi.app("PutMedia", piece)
    assert answer.complete
    other.CopyFrom(pieces[-1])
    other.content = pieces[-1].content[:-1] + b"X"
    assert (await refused(kaspi.app("PutMedia", other))).code == "MEDIA_DIFFERS"


async def test_another_file_under_the_same_hash_is_refused(kaspi: As, db: Database) -> None:
    report_id = await opened(kaspi)
    digest = hashlib.sha256(jpeg()).hexdigest()
    wrong = pieces_of(report_id, jpeg(99), sha256=digest)[0]
    assert (await refused(kaspi.app("PutMedia", wrong))).code == "MEDIA_DIFFERS"
    assert await rows_of(db, "clean_chunks", report_id) == 0
    await submit(kaspi, report_id)


def service_memory() -> int:
    """Bytes of the service under test, without the processes that examine files."""
    [service] = [
        child
        for child in psutil.Process().children()
        if child.cmdline()[1:] == ["-m", "citizen_reports", "serve"]
    ]
    return int(service.memory_info().rss)


async def test_bombs_and_long_films_grow_nothing_but_their_own_process(kaspi: As) -> None:
    report_id, bomb = await opened(kaspi), pixel_bomb()
    padding = (60 * MIB).to_bytes(4) + b"free" + bytes(60 * MIB - 8)
    long = film() + padding  # as films of phones have

    async def send(content: bytes, content_type: str) -> Any:
        for piece in pieces_of(report_id, content, content_type=content_type):
            answer = await kaspi.app("PutMedia", piece)
        return answer

    await send(film(), "video/mp4")
    before, most = service_memory(), 0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, service_memory())
            await asyncio.sleep(0.02)

    watching = asyncio.ensure_future(watch())
    for _ in range(2):
        tries = (refused(send(bomb, "image/png")) for _ in range(4))
        assert {one.code for one in await asyncio.gather(*tries)} == {"MEDIA_BEYOND_LIMITS"}
    assert (await send(long, "video/mp4")).complete
    done.set()
    await watching
    assert most - before < GROWTH_MAX, f"{(most - before) // MIB} MiB"
