"""Stores the blurred forms of photographs and of first frames of films. A picture is kept here,
encrypted with the report's key, until it is in the evidence store; then only its hash is kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import ColumnElement, select, update
from vault.keyring import DataKey

from citizen_reports.model.media import Media
from citizen_reports.storage.tables import blurred_forms


@dataclass(frozen=True)
class BlurredForm:
    """The blurred form of one file. `sha256` (hex) is the hash of its picture, `sealed` the
    encrypted picture, or None once the picture is in the evidence store."""

    sha256: str
    sealed: bytes | None

    @property
    def is_stored(self) -> bool:
        return self.sealed is None


def add_form(tx: Tx, item: Media, content: bytes, key: DataKey) -> BlurredForm:
    """Add the blurred form of a file: `content` is the JPEG, `key` the data key of the report."""
    sha256 = hashlib.sha256(content).hexdigest()
    sealed = key.seal(content, _place_of(item))
    ids = {"report_id": item.report_id, "media_id": item.media_id}
    tx.add(blurred_forms, {**ids, "sha256": sha256, "sealed": sealed})
    return BlurredForm(sha256, sealed)


async def find_form(tx: Tx, report_id: UUID, media_id: UUID) -> BlurredForm | None:
    """Return the blurred form of a photograph or film; None if it has not been made yet."""
    query = select(blurred_forms).where(*_of(report_id, media_id))
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else BlurredForm(row.sha256, row.sealed)


def content_of(form: BlurredForm, item: Media, key: DataKey) -> bytes:
    """Return the decrypted picture of a blurred form, which must not be stored as evidence yet."""
    assert form.sealed is not None
    return key.open(form.sealed, _place_of(item))


async def note_stored(tx: Tx, item: Media) -> None:
    """Record that the blurred form of a file is in the evidence store; delete its picture here."""
    query = update(blurred_forms).where(*_of(item.report_id, item.media_id))
    await tx.execute(query.values(sealed=None))


async def with_blurred(tx: Tx, items: Sequence[Media]) -> list[Media]:
    """Return a report's files, each with the SHA-256 (hex) of its blurred form, or with "" if there
    is none in the evidence store yet."""
    if not items:
        return []
    query = select(blurred_forms.c.media_id, blurred_forms.c.sha256).where(
        blurred_forms.c.report_id == items[0].report_id, blurred_forms.c.sealed.is_(None)
    )
    found = {row.media_id: row.sha256 for row in await tx.execute(query)}
    return [replace(item, blurred_sha256=found.get(item.media_id, "")) for item in items]


def _of(report_id: UUID, media_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return blurred_forms.c.report_id == report_id, blurred_forms.c.media_id == media_id


def _place_of(item: Media) -> str:
    return f"blurred_forms.sealed:{item.report_id}:{item.media_id}"
