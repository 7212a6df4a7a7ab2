"""Photographs of reports are blurred where the models find people and plates: for good, and not
before all of a photograph was looked at."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Scope
from citizen_reports.examination.previews import SIDE_MAX
from citizen_reports.examination.process import Examiner
from citizen_reports.model.media import EvidenceFile, Stored
from citizen_reports.model.report import Report
from citizen_reports.usecases.blurring import Blurring
from PIL import Image
from sqlalchemy import text
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import reports_pb2 as pb
from vision.arrays import Picture
from vision.boxes import Box
from vision.mosaic import CELLS_MAX, covered

from .conftest import As, Evidence, complaint, draft, until
from .sample_media import SECRET, exif, film, photograph, recording
from .test_examination import examine, pieces
from .test_proposed_plates import sent
from .test_secrecy import audited

FACE = Box(200, 110, 40, 50)
WIDTH, HEIGHT = 320, 200


class Broken(Refusal):
    """Of the kind that a test gives it."""

    code = "BROKEN"

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind  # type: ignore[misc]


@dataclass
class Pictures:
    """The evidence store and its models, as far as blurring asks them."""

    clean: bytes
    boxes: list[Box] = field(default_factory=list)
    refusal: Kind | None = None
    is_away: bool = False
    asked: int = 0
    stored: list[bytes] = field(default_factory=list)

    async def find_faces_and_plates(self, sha256: str, *, confidential: bool) -> list[Box]:
        self.asked += 1
        if self.refusal:
            raise Broken(self.refusal)
        return self.boxes

    def read_picture(self, sha256: str, *, confidential: bool) -> AsyncIterator[bytes]:
        return pieces(self.clean)

    async def store(
        self, file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
    ) -> Stored:
        content = b"".join([piece async for piece in pieces])
        if self.is_away:
            raise Broken(Kind.UNAVAILABLE)
        assert hashlib.sha256(content).hexdigest() == file.sha256 == file.shown_sha256
        self.stored.append(content)
        return Stored(file.sha256, file.shown_sha256)


async def kept(db: Database, report_id: str, scope: Scope = SYSTEM) -> list[Any]:
    query = text("SELECT * FROM blurred_forms WHERE report_id = CAST(:r AS uuid)")
    async with db.begin(scope) as tx:
        return list((await tx.execute(query.bindparams(r=report_id))).all())


@pytest.fixture(autouse=True)
def models_return(evidence: Evidence) -> Iterator[None]:
    """After each test the models look at all photographs: no work is left that nobody can do."""
    yield
    for sha256 in [key for key, found in evidence.faces.items() if isinstance(found, str)]:
        del evidence.faces[sha256]


async def blurred_hash(db: Database, report_id: str) -> str:
    """Of a form in the evidence store, "" before."""
    return next((row.sha256 for row in await kept(db, report_id) if row.sealed is None), "")


async def a_photograph() -> tuple[bytes, bytes]:
    """A picture of noise that nobody else has sent, and its clean form."""
    content = photograph(exif=exif())
    return content, (await examine(content)).clean


async def not_blurred(
    kaspi: As, desk: As, evidence: Evidence, given: pb.OpenReportRequest
) -> tuple[str, str, bytes]:
    """A report, the key of the work on its photograph, which the service itself cannot do, and the
    photograph's clean form."""
    content, clean = await a_photograph()
    evidence.faces[hashlib.sha256(clean).hexdigest()] = "MODELS_AWAY"
    report_id, media_id = await sent(kaspi, desk, given, content)
    return report_id, f"{report_id}:{media_id}", clean


def opened(content: bytes) -> Picture:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG" and not image.getexif()
        return np.asarray(image.convert("RGB"))


def steps_in(picture: Picture, box: Box) -> int:
    """How many columns inside of a covered box differ clearly from the one before; JPEG moves
    shades a little."""
    left, top, right, bottom = covered(box, width=WIDTH, height=HEIGHT)
    part = picture[top + 8 : bottom - 8, left + 8 : right - 8].astype(float).mean((0, 2))
    return int((np.abs(np.diff(part)) > 3).sum())


def is_noise(picture: Picture, box: Box) -> bool:
    left, top, right, bottom = covered(box, width=WIDTH, height=HEIGHT)
    part = picture[top + 8 : bottom - 8, left + 8 : right - 8].astype(float)
    return bool(np.abs(np.diff(part.mean(2), axis=1)).mean() > 10)


@pytest.mark.parametrize(
    ("given", "desk", "confidential"),
    [(draft(category=pb.CATEGORY_INCIDENT), "dispatcher", False), (complaint(), "security", True)],
    ids=["incident", "complaint"],
)
async def test_a_blurred_form_lies_in_the_evidence_store_and_shows_nobody(
    kaspi: As,
    evidence: Evidence,
    db: Database,
    request: pytest.FixtureRequest,
    given: pb.OpenReportRequest,
    desk: str,
    confidential: bool,
) -> None:
    reader: As = request.getfixturevalue(desk)
    content, clean = await a_photograph()
    shown = hashlib.sha256(clean).hexdigest()
    evidence.faces[shown] = [inference_pb2.Box(x=200, y=110, width=40, height=50)]
    report_id, media_id = await sent(kaspi, reader, given, content)
    sha256 = await until(lambda: blurred_hash(db, report_id))
    picture = opened(evidence.kept[sha256])
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert is_noise(opened(clean), FACE) and not is_noise(picture, FACE)
    assert steps_in(picture, FACE) <= 3 * CELLS_MAX
    assert is_noise(picture, Box(230, 20, 60, 40)), "the rest is as it was"
    assert SECRET.encode() not in evidence.kept[sha256]
    header = evidence.headers[sha256]
    assert (header.content_type, header.shown_sha256) == ("image/jpeg", sha256)
    assert header.confidential is confidential
    assert header.only_role == ("internal_security" if confidential else "")
    assert [one.confidential for one in evidence.blurred if one.sha256 == shown] == [confidential]
    [entry] = await audited(db, "blur_media", media_id)
    assert entry["facts"] == {"media": media_id}
    assert entry["class"] == ("confidential" if confidential else "open")


@pytest.mark.parametrize(
    "kind", [Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMEOUT, Kind.INTERNAL, Kind.FORBIDDEN]
)
async def test_nothing_is_made_before_the_models_have_looked(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database, kind: Kind
) -> None:
    report_id, key, clean = await not_blurred(kaspi, dispatcher, evidence, draft())
    models = Pictures(clean, refusal=kind)
    work = Blurring(db, models, Examiner())
    with pytest.raises(Broken):
        await work.blur(key)
    assert (await kept(db, report_id), models.stored) == ([], [])
    models.refusal, models.boxes = None, [FACE]
    for _ in "12":
        await work.blur(key)
    assert models.asked == 2, "once more, and not again when it is made"
    [content] = models.stored
    assert not is_noise(opened(content), FACE)


async def test_all_of_a_photograph_that_no_model_can_look_at_is_blurred(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    _, key, clean = await not_blurred(kaspi, dispatcher, evidence, draft())
    models = Pictures(clean, refusal=Kind.INVALID)
    await Blurring(db, models, Examiner()).blur(key)
    [content] = models.stored
    assert not is_noise(opened(content), Box(40, 40, WIDTH - 80, HEIGHT - 80))


async def test_until_the_store_has_it_a_form_is_sealed_and_then_the_same_is_sent(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    report_id, key, clean = await not_blurred(kaspi, dispatcher, evidence, draft())
    models = Pictures(clean, is_away=True)
    work = Blurring(db, models, Examiner())
    with pytest.raises(Broken):
        await work.blur(key)
    [row] = await kept(db, report_id)
    assert row.sealed and not bytes(row.sealed).startswith(b"\xff\xd8")
    models.is_away, models.boxes = False, [FACE]
    await work.blur(key)
    assert models.asked == 1
    [content] = models.stored
    assert hashlib.sha256(content).hexdigest() == row.sha256
    assert [one.sealed for one in await kept(db, report_id)] == [None]


async def test_a_form_whose_report_lost_its_key_is_neither_sent_nor_noted_as_stored(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    report_id, key, clean = await not_blurred(kaspi, dispatcher, evidence, draft())
    models = Pictures(clean, is_away=True)
    work = Blurring(db, models, Examiner())
    with pytest.raises(Broken):
        await work.blur(key)
    async with db.begin(SYSTEM) as tx:
        of_report = text("SELECT key_id FROM contents WHERE report_id = CAST(:r AS uuid)")
        await tx.keys.destroy(await tx.scalar(of_report.bindparams(r=report_id)))
    models.is_away = False
    await work.blur(key)
    assert models.stored == []
    [row] = await kept(db, report_id)
    assert row.sealed is not None


async def test_a_form_is_seen_by_those_who_see_the_report_and_none_is_made_of_what_is_erased(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    report_id, key, clean = await not_blurred(kaspi, dispatcher, evidence, draft())
    models = Pictures(clean)
    work = Blurring(db, models, Examiner())
    erased = text(
        "INSERT INTO report_erasures (report_id, part, erased_at, audit_entry)"
        " VALUES (CAST(:r AS uuid), 'clean', :at, CAST(:r AS uuid))"
    )
    other_id, other_key, _ = await not_blurred(kaspi, dispatcher, evidence, draft())
    async with db.begin(SYSTEM) as tx:
        await tx.execute(erased.bindparams(r=other_id, at=system_clock()))
    await work.blur(other_key)
    assert (await kept(db, other_id), models.asked) == ([], 0)
    await work.blur(key)
    desk = Scope("operator", "dispatcher-almaty", ("KZ-75",), ("dispatcher",))
    assert len(await kept(db, report_id, desk)) == 1
    for scope in (
        Scope("operator", "dispatcher-almaty", ("KZ-71",), ("dispatcher",)),
        Scope("partner", "kaspi"),
        Scope("service", "violations", ("*",)),
    ):
        assert await kept(db, report_id, scope) == []


async def test_a_large_photograph_becomes_smaller_and_what_is_none_is_refused() -> None:
    large = photograph(size=(2 * SIDE_MAX, 400))
    async with Examiner().blur(pieces(large), [Box(-30, 10, 90, 90)]) as made:
        picture = opened(b"".join([piece async for piece in made.clean]))
    assert picture.shape == (200, SIDE_MAX, 3)
    for content in (
        b"<svg/>",
        large[: len(large) // 2],
        film("mp4"),
        recording("mp3", audio="mp3"),
    ):
        async with Examiner().blur(pieces(content), []) as made:
            assert made.finding is None and made.reason
