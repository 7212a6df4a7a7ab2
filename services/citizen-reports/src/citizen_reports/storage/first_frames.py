"""Stores the first frames of films. A picture is kept here, encrypted with the report's key, until
it is in the evidence store; then only its hash is kept."""

from chassis.transaction import Tx
from sqlalchemy import ColumnElement, delete, insert, select, update

from citizen_reports.model.media import Media
from citizen_reports.storage.contents import report_key
from citizen_reports.storage.tables import first_frames, media


async def add_frame(tx: Tx, item: Media, picture: bytes) -> None:
    """Add the first frame of a film, a JPEG. Raises KeyError if the report's key was destroyed."""
    key = await report_key(tx, item.report_id)
    ids = {"report_id": item.report_id, "media_id": item.media_id}
    sealed = key.seal(picture, _place_of(item))
    await tx.execute(insert(first_frames), {**ids, "sealed": sealed})


async def waiting_frame(tx: Tx, item: Media) -> bytes | None:
    """Return the first frame (JPEG) of a film if the frame waits to be sent to the evidence store,
    else None. Raises KeyError if it waits, but the report's key was destroyed."""
    sealed = await tx.scalar(select(first_frames.c.sealed).where(*_of(item)))
    if sealed is None:
        return None
    return (await report_key(tx, item.report_id)).open(sealed, _place_of(item))


async def note_stored(tx: Tx, item: Media, sha256: str) -> None:
    """Record that the first frame of a film is in the evidence store under the hash `sha256` (hex),
    and delete its picture here."""
    its = media.c.report_id == item.report_id, media.c.media_id == item.media_id
    await tx.execute(update(media).where(*its).values(first_frame_sha256=sha256))
    await tx.execute(delete(first_frames).where(*_of(item)))


def _of(item: Media) -> tuple[ColumnElement[bool], ...]:
    return first_frames.c.report_id == item.report_id, first_frames.c.media_id == item.media_id


def _place_of(item: Media) -> str:
    return f"first_frames.sealed:{item.report_id}/{item.media_id}"
