"""The first frame of a film is there before its film, in the form that an operator may see."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
import pytest
from chassis.db import Database
from chassis.transaction import SYSTEM, Scope
from PIL import Image
from sqlalchemy import text
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import reports_pb2 as pb
from vision.arrays import Picture

from .conftest import As, Evidence, draft, pieces_of, refused, until
from .sample_media import film, photograph, recording
from .test_examination import examine
from .test_media import drop, rows_of, submit
from .test_opened_forms import take
from .test_retention import shown
from .test_secrecy import audited, sides

# Of a film's track header: where its matrix lies behind the name of the box, and a quarter turn.
MATRIX_AT = 44
QUARTER = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)


@pytest.fixture(autouse=True)
def films_are_kept_again(evidence: Evidence) -> Iterator[None]:
    """After each test: no work is left that nobody can do."""
    yield
    evidence.keeps_no_films = evidence.away = False


def picture_of(content: bytes) -> Picture:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG" and not image.getexif()
        return np.asarray(image.convert("RGB"), np.uint8)


def first_frame_of(content: bytes, width: int = 176) -> Picture:
    """The first frame of a sample film at this width in pixels."""
    with av.open(io.BytesIO(content), "r") as container:
        frame = next(container.decode(video=0))
        found = frame.to_ndarray(format="rgb24", width=width, height=144)
        return found.astype(np.uint8, copy=False)


def is_like(one: Picture, other: Picture) -> bool:
    """Of the same size, and alike, as a JPEG is its picture; pictures of noise are not."""
    same_size = one.shape == other.shape
    return same_size and bool(np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.8)


async def frame_of(content: bytes) -> bytes:
    finding = (await examine(content)).finding
    assert finding is not None
    return finding.first_frame


async def handed_in(kaspi: As, content: bytes, content_type: str = "video/mp4") -> tuple[str, str]:
    """A submitted emergency with this file; its id and the id of the file."""
    given = draft(category=pb.CATEGORY_ROAD_ACCIDENT)
    await kaspi.app("OpenReport", given)
    media_id = ""
    for piece in pieces_of(given.report_id, content, content_type=content_type):
        await kaspi.app("PutMedia", piece)
        media_id = piece.media_id
    await submit(kaspi, given.report_id)
    return given.report_id, media_id


async def opened(reader: As, report_id: str, media_id: str, **asked: bool) -> tuple[Any, bytes]:
    """What describes a file that was opened, and its content."""
    answers = await reader.open_media(report_id, media_id, **asked)
    content = b"".join(answer.content for answer in answers)
    assert answers[0].sha256 == hashlib.sha256(content).hexdigest()
    return answers[0], content


async def when_blurred(reader: As, report_id: str) -> Any:
    async def find() -> Any:
        [item] = (await shown(reader, report_id)).media
        return item if item.blurred_sha256 else None

    return await until(find)


@pytest.mark.parametrize(
    ("file_format", "options", "width"),
    [
        ("mp4", {}, 176),
        ("mov", {"video": "libx265"}, 176),
        # Its pixels are not square: twelve to eleven.
        ("3gp", {"video": "h263", "audio": "libopencore_amrnb"}, 192),
    ],
)
async def test_the_first_frame_is_what_a_player_shows_first(
    file_format: str, options: dict[str, str], width: int
) -> None:
    content = film(file_format, **options)
    assert is_like(picture_of(await frame_of(content)), first_frame_of(content, width))


async def test_the_first_frame_of_a_film_taken_upright_is_upright() -> None:
    content = film("mp4")
    start = content.index(b"tkhd") + MATRIX_AT
    turned = content[:start] + QUARTER + content[start + len(QUARTER) :]
    found = picture_of(await frame_of(turned))
    assert is_like(found, np.rot90(first_frame_of(content), -1))


async def test_voice_and_photographs_have_no_first_frame() -> None:
    for content in (photograph(), recording("mp3", audio="libmp3lame", rate=16000)):
        assert await frame_of(content) == b""


async def test_a_dispatcher_sees_the_first_frame_blurred_before_the_film_is_there(
    kaspi: As, as_: Callable[..., As], dispatcher: As, evidence: Evidence, db: Database
) -> None:
    inspector = as_(operator="inspector-almaty")
    content = film(seed=next(sides))
    frame = await frame_of(content)
    sha256 = hashlib.sha256(frame).hexdigest()
    evidence.faces[sha256] = [inference_pb2.Box(x=60, y=40, width=40, height=40)]
    evidence.keeps_no_films = True
    report_id, media_id = await handed_in(kaspi, content)
    item = await when_blurred(dispatcher, report_id)
    assert (item.evidence_sha256, item.first_frame_sha256) == ("", sha256)
    first, blurred = await opened(dispatcher, report_id, media_id, first_frame=True)
    assert (first.form, first.content_type) == ("blurred", "image/jpeg")
    assert (first.sha256, first.original_sha256) == (item.blurred_sha256, "")
    covered = slice(45, 75), slice(65, 95)
    clear, hidden = picture_of(frame), picture_of(blurred)
    assert is_like(clear[:20], hidden[:20]) and not is_like(clear[covered], hidden[covered])
    first, sharp = await opened(inspector, report_id, media_id, first_frame=True)
    assert (first.form, sharp) == ("clean", frame), "an inspector of what inspectors handle"
    for reader in (dispatcher, inspector):
        refusal = await refused(reader.open_media(report_id, media_id))
        assert refusal.code == "MEDIA_NOT_STORED", "the film itself is still on its way"
    seen = [entry["facts"] for entry in await audited(db, "open_evidence", media_id)]
    assert [one["seen"] for one in seen] == ["blurred", "media"]
    assert {one["sha256"] for one in seen} == {sha256}


async def test_once_the_film_is_there_both_are_opened_by_those_who_may(
    kaspi: As, dispatcher: As, evidence: Evidence
) -> None:
    content = film(seed=next(sides))
    report_id, media_id = await handed_in(kaspi, content)
    await when_blurred(dispatcher, report_id)

    async def film_is_there() -> Any:
        [item] = (await shown(dispatcher, report_id)).media
        return item if item.evidence_sha256 else None

    item = await until(film_is_there)
    refusal = await refused(dispatcher.open_media(report_id, media_id))
    assert refusal.code == "MEDIA_HAS_NO_BLURRED_FORM"
    await take(dispatcher, report_id)
    found = {
        name: (await opened(dispatcher, report_id, media_id, **asked))[0]
        for name, asked in {
            "film": {},
            "frame": {"first_frame": True},
            "blurred": {"first_frame": True, "blurred": True},
        }.items()
    }
    assert {name: (one.form, one.sha256) for name, one in found.items()} == {
        "film": ("clean", item.shown_sha256),
        "frame": ("clean", item.first_frame_sha256),
        "blurred": ("blurred", item.blurred_sha256),
    }
    assert {one.original_sha256 for one in found.values()} == {item.evidence_sha256}
    header = evidence.headers[item.first_frame_sha256]
    assert (header.content_type, header.shown_sha256) == ("image/jpeg", item.first_frame_sha256)


async def test_a_file_without_a_first_frame_says_so_at_once(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    report_id, media_id = await handed_in(kaspi, photograph(), "image/jpeg")
    await when_blurred(dispatcher, report_id)
    refusal = await refused(dispatcher.open_media(report_id, media_id, first_frame=True))
    assert refusal.code == "MEDIA_HAS_NO_FIRST_FRAME"
    report_id, media_id = await handed_in(kaspi, film(seed=next(sides)))
    await when_blurred(dispatcher, report_id)
    before = text("UPDATE media SET first_frame_sha256 = '' WHERE media_id = CAST(:m AS uuid)")

    async def of_before() -> Any:
        """Once the film is there, as one that was stored before first frames were kept."""
        async with db.begin(SYSTEM) as tx:
            await tx.execute(before.bindparams(m=media_id))
        refusal = await refused(dispatcher.open_media(report_id, media_id, first_frame=True))
        return refusal.code == "MEDIA_HAS_NO_FIRST_FRAME"

    assert await until(of_before)


async def test_until_it_is_stored_a_first_frame_is_sealed_and_no_operator_reads_its_row(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    evidence.away = True
    report_id, media_id = await handed_in(kaspi, film(seed=next(sides)))
    query = text("SELECT sealed FROM first_frames WHERE report_id = CAST(:r AS uuid)")

    async def rows(scope: Scope) -> list[bytes]:
        async with db.begin(scope) as tx:
            found = await tx.execute(query.bindparams(r=report_id))
            return [bytes(sealed) for sealed in found.scalars()]

    [sealed] = await rows(SYSTEM)
    assert not sealed.startswith(b"\xff\xd8")
    assert await rows(Scope("partner", "kaspi")) == [sealed]
    for scope in (
        Scope("partner", "halyk"),
        Scope("operator", "dispatcher-almaty", ("*",), ("dispatcher",)),
        Scope("service", "violations", ("*",)),
    ):
        assert await rows(scope) == []
    refusal = await refused(dispatcher.open_media(report_id, media_id, first_frame=True))
    assert refusal.code == "MEDIA_NOT_STORED"
    evidence.away = False
    await when_blurred(dispatcher, report_id)
    assert await rows(SYSTEM) == []


async def test_a_film_that_is_taken_back_leaves_no_first_frame(kaspi: As, db: Database) -> None:
    given = draft(category=pb.CATEGORY_INCIDENT)
    await kaspi.app("OpenReport", given)
    [piece] = pieces_of(given.report_id, film(seed=next(sides)), content_type="video/mp4")
    await kaspi.app("PutMedia", piece)
    assert await rows_of(db, "first_frames", given.report_id) == 1
    await drop(kaspi, given.report_id, piece.media_id)
    assert await rows_of(db, "first_frames", given.report_id) == 0
