"""Scheduled work that makes the blurred forms of photographs and of first frames of films, in which
the faces and plates that the models find cannot be recognised.

The handler may run more than once for one picture. While the models are unavailable or busy, the
handler raises, and is called again later. A picture that no model can examine is blurred entirely.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM
from vision.boxes import Box

from citizen_reports.model.blurred_forms import picture_of
from citizen_reports.model.findings import PREVIEW_TYPE
from citizen_reports.model.media import EvidenceFile, Media, Stored
from citizen_reports.model.report import Report
from citizen_reports.model.retention import Part
from citizen_reports.storage import blurred_forms, contents, reports
from citizen_reports.storage.blurred_forms import BlurredForm
from citizen_reports.storage.retention import is_erased
from citizen_reports.usecases.recording import audit, bind_trace
from citizen_reports.usecases.uploads import Examined

BLUR_MEDIA = "blur_media"
PIECE_BYTES = 512 * 1024
# While the gateway examines one picture, a second one can be read or stored.
AT_ONCE = 2
# Refusals of these kinds mean that the evidence store has no picture that can be shown.
_NOTHING_TO_SHOW = frozenset({Kind.NOT_FOUND, Kind.STATE})
log = logging.getLogger(__name__)


class Pictures(Protocol):
    """The evidence store and its models. `sha256` (hex) is the hash of a picture in the store. With
    `confidential`, the store's audit entry about a call is hidden from auditors."""

    async def find_faces_and_plates(self, sha256: str, *, confidential: bool) -> list[Box]:
        """Return the boxes of the faces and plates in a picture, in pixels. An empty list means
        that the whole picture was examined and contains neither. Raises a Refusal."""
        ...

    def read_picture(self, sha256: str, *, confidential: bool) -> AsyncIterator[bytes]:
        """Yield the bytes of a picture in pieces. Raises a Refusal."""
        ...

    async def store(
        self, file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
    ) -> Stored:
        """Store a file of `report`; `pieces` are the file's bytes. Raises a Refusal."""
        ...


class Blurrer(Protocol):
    def blur(
        self, pieces: AsyncIterator[bytes], boxes: Sequence[Box] | None
    ) -> AbstractAsyncContextManager[Examined]:
        """Blur the `boxes` of a picture, or the whole picture if `boxes` is None; `pieces` are the
        picture's bytes. The result's `clean` is the blurred form, readable within the context."""
        ...


class Blurring:
    def __init__(self, db: Database, pictures: Pictures, blurrer: Blurrer) -> None:
        self._db = db
        self._pictures = pictures
        self._blurrer = blurrer

    async def blur(self, key: str) -> None:
        """Make the blurred form of a photograph or of a film's first frame, and move the form to
        the evidence store, unless it is there already or the report's clean forms were erased.
        `key` is "report id:media id". Raises a Refusal while the models are unavailable or busy.
        """
        report_id, media_id = map(UUID, key.split(":"))
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            item = await contents.find_media(tx, report_id, media_id)
            form = await blurred_forms.find_form(tx, report_id, media_id)
            is_gone = await is_erased(tx, report_id, Part.CLEAN)
        picture = picture_of(item) if item is not None else ""
        if item is None or is_gone or not picture:
            return
        if form is None:
            content = await self._made(picture, confidential=report.is_confidential)
            form = await self._added(item, content) if content else None
        if form is not None and not form.is_stored:
            await self._move(report, item, form)

    async def _made(self, picture: str, *, confidential: bool) -> bytes | None:
        """The bytes of the blurred form; None if the picture is missing or cannot be read."""
        try:
            boxes = await self._boxes(picture, confidential=confidential)
            pieces = self._pictures.read_picture(picture, confidential=confidential)
            async with self._blurrer.blur(pieces, boxes) as made:
                if made.finding is not None:
                    return b"".join([piece async for piece in made.clean])
                reason = made.reason
        except Refusal as refusal:
            if refusal.kind not in _NOTHING_TO_SHOW:
                raise
            reason = refusal.reason
        log.warning("a picture has no blurred form: %s", reason)
        return None

    async def _boxes(self, picture: str, *, confidential: bool) -> list[Box] | None:
        """The boxes to blur; None, for the whole picture, if no model can examine the picture."""
        try:
            return await self._pictures.find_faces_and_plates(picture, confidential=confidential)
        except Refusal as refusal:
            if refusal.kind is not Kind.INVALID:
                raise
            log.warning("all of a picture is blurred: %s", refusal.reason)
            return None

    async def _added(self, item: Media, content: bytes) -> BlurredForm | None:
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, item.report_id)
            key = await contents.find_report_key(tx, item.report_id)
            if key is None or await is_erased(tx, item.report_id, Part.CLEAN):
                return None
            known = await blurred_forms.find_form(tx, item.report_id, item.media_id)
            if known is not None:
                return known
            audit(tx, "blur_media", report, media=str(item.media_id))
            return blurred_forms.add_form(tx, item, content, key)

    async def _move(self, report: Report, item: Media, form: BlurredForm) -> None:
        async with self._db.begin(SYSTEM) as tx:
            key = await contents.find_report_key(tx, item.report_id)
        if key is None:  # destroyed meanwhile: nobody can read the form, so nothing is stored
            return
        content = blurred_forms.content_of(form, item, key)
        file = EvidenceFile(form.sha256, PREVIEW_TYPE, form.sha256)
        await self._pictures.store(file, report, in_pieces(content))
        async with self._db.begin(SYSTEM) as tx:
            await blurred_forms.note_stored(tx, item)


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """Yield the bytes of a file in pieces of at most PIECE_BYTES."""
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]
