"""Storage of evidence: rows in a database table, and encrypted objects in a local folder or an S3
bucket.

`BlobStore` gets encrypted bytes only. When `put` returns, a local object is on the disk, not merely
in the page cache.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from chassis.refusals import Kind, Refusal
from chassis.tables import data_keys
from chassis.transaction import Tx
from host.key_destruction import destroy_recorded, schedule_destruction
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey

from inference_gateway.evidence.model import Damage, EvidenceDamaged

KEY_CLASS = "evidence"
PUT_SECONDS = 30.0
GET_SECONDS = 30.0
_metadata = MetaData()
_moment = DateTime(timezone=True)

evidence = Table(
    "evidence",
    _metadata,
    Column("sha256", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("only_role", Text, primary_key=True),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("key_id", Uuid),
    Column("object_path", Text),
    Column("stored_at", _moment),
    # Of the row beside this one that holds the form operators are shown: its own where nothing was
    # left out, "" where it cannot be shown, NULL where nobody has made it yet.
    Column("shown_sha256", Text),
)


@dataclass(frozen=True)
class StoredEvidence:
    """An encrypted object in the object store. `key` decrypts it; `sha256` is the hash of its
    decrypted content.

    `shown` is the version that operators see, if that is a separate object. It is None if operators
    see this object, or if that version is not known. `is_showable` is False if no version for
    operators can be made.
    """

    sha256: str
    content_type: str
    size_bytes: int
    key: DataKey
    object_path: str
    # The form that operators are shown, where it is another.
    shown: "StoredEvidence | None" = None
    is_showable: bool = True
    # Whether `shown` has its row already.
    is_form_stored: bool = False

    @property
    def shown_sha256(self) -> str:
        """The SHA-256 of the version that operators see, which has no metadata; "" if that version
        cannot be made."""
        return (self.shown or self).sha256 if self.is_showable else ""


@dataclass(frozen=True)
class EvidencePlace:
    """Who may read a piece of evidence: the users of `region`. If `only_role` is not "", they must
    also have that role."""

    region: str
    only_role: str = ""


@dataclass(frozen=True)
class FoundEvidence:
    stored: StoredEvidence
    place: EvidencePlace
    # As in the table; None: not made yet, "": none can be made. A separate form is `stored.shown`.
    shown_sha256: str | None


async def store_evidence(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> None:
    """Insert a database row for an encrypted original, and one for the version shown to operators
    if that is a separate object. An existing row with the same content, region and role is kept.
    """
    if kept.shown is not None and not kept.is_form_stored:
        await _add_evidence(tx, kept.shown, place)
    if not await _add_evidence(tx, kept, place):
        await _set_shown(tx, kept, place)


async def note_shown(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> None:
    """Record which version is shown to operators, for evidence that was stored without one."""
    if kept.shown is not None:
        await _add_evidence(tx, kept.shown, place)
    await _set_shown(tx, kept, place)


async def _add_evidence(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> bool:
    """Add a row; return False if a row with this content and place exists."""
    await tx.execute(
        insert(data_keys).values(
            key_id=kept.key.key_id, key_class=KEY_CLASS, wrapped=kept.key.wrapped
        )
    )
    added = await tx.execute(
        insert(evidence)
        .values(
            sha256=kept.sha256,
            region=place.region,
            only_role=place.only_role,
            content_type=kept.content_type,
            size_bytes=kept.size_bytes,
            key_id=kept.key.key_id,
            object_path=kept.object_path,
            shown_sha256=kept.shown_sha256,
        )
        .on_conflict_do_nothing()
    )
    return bool(added.rowcount)


async def _set_shown(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> None:
    """Set the shown form if none is set and the scope sees the row; else the next read sets it."""
    await tx.execute(
        update(evidence)
        .where(*is_evidence(kept.sha256, place), evidence.c.shown_sha256.is_(None))
        .values(shown_sha256=kept.shown_sha256)
    )


async def find_evidence(tx: Tx, sha256: str) -> FoundEvidence | None:
    """Return the evidence whose content has this SHA-256: an original, or a version shown to
    operators. Returns None if there is none within the transaction's scope, or if the encryption
    key was destroyed."""
    row = (
        await tx.execute(
            select(evidence).where(evidence.c.sha256 == sha256).order_by(evidence.c.only_role)
        )
    ).first()
    kept = None if row is None else await kept_in(tx, row)
    if row is None or kept is None:
        return None
    place = EvidencePlace(row.region, row.only_role)
    if row.shown_sha256 in (None, "", sha256):
        return FoundEvidence(kept, place, row.shown_sha256)
    shown = (await tx.execute(select(evidence).where(*is_evidence(row.shown_sha256, place)))).one()
    form = await kept_in(tx, shown)
    return FoundEvidence(replace(kept, shown=form), place, row.shown_sha256) if form else None


async def evidence_at(tx: Tx, sha256: str, place: EvidencePlace) -> StoredEvidence | None:
    """Return the evidence with this content, region and role; None if there is none, or if its
    encryption key was destroyed."""
    row = (await tx.execute(select(evidence).where(*is_evidence(sha256, place)))).one_or_none()
    return None if row is None else await kept_in(tx, row)


async def kept_in(tx: Tx, row: Any) -> StoredEvidence | None:
    """Return the stored evidence of a row of the table of evidence; None if the encryption key was
    destroyed."""
    try:
        key = await tx.keys.get(KEY_CLASS, row.key_id)
    except KeyError:
        return None
    return StoredEvidence(row.sha256, row.content_type, row.size_bytes, key, row.object_path)


def is_evidence(sha256: str, place: EvidencePlace) -> tuple[ColumnElement[bool], ...]:
    return (
        evidence.c.sha256 == sha256,
        evidence.c.region == place.region,
        evidence.c.only_role == place.only_role,
    )


async def known_objects(tx: Tx, paths: list[str]) -> set[str]:
    found = await tx.execute(
        select(evidence.c.object_path).where(evidence.c.object_path.in_(paths))
    )
    return set(found.scalars())


async def is_shown_form(tx: Tx, sha256: str, place: EvidencePlace) -> bool:
    """Whether `sha256` is the hash of a version that operators see in place of an original.

    Only originals with the region and role of `place` count. Returns False if operators see the
    original itself.
    """
    query = select(evidence.c.sha256).where(
        evidence.c.shown_sha256 == sha256,
        evidence.c.sha256 != sha256,
        evidence.c.region == place.region,
        evidence.c.only_role == place.only_role,
    )
    return await tx.scalar(query.limit(1)) is not None


async def take_away(tx: Tx, sha256: str, place: EvidencePlace) -> str:
    """Delete the database row of a piece of evidence and destroy its encryption key. If the version
    shown to operators is a separate object, return that object's SHA-256, otherwise ""."""
    gone = (
        await tx.execute(
            delete(evidence)
            .where(*is_evidence(sha256, place))
            .returning(evidence.c.key_id, evidence.c.shown_sha256)
        )
    ).one_or_none()
    if gone is None:
        return ""
    await destroy_recorded(tx, gone.key_id)
    return str(gone.shown_sha256 or "") if gone.shown_sha256 != sha256 else ""


async def is_needed(tx: Tx, sha256: str) -> bool:
    """Whether a frame, a candidate of a watch-list, or an original of which this is the shown form
    needs the evidence with this hash. `tx` must have the scope SYSTEM."""
    return bool(await tx.scalar(_IS_NEEDED.bindparams(sha256=sha256)))


_IS_NEEDED = text(
    "SELECT EXISTS (SELECT FROM frames WHERE evidence_sha256 = :sha256)"
    " OR EXISTS (SELECT FROM watch_candidates WHERE evidence_sha256 = :sha256)"
    " OR EXISTS (SELECT FROM evidence WHERE shown_sha256 = :sha256 AND sha256 <> :sha256)"
)


async def erase(tx: Tx, sha256: str) -> list[str]:
    """Delete the rows with this hash and have their keys destroyed; return the paths of their
    objects. `tx` must have the scope SYSTEM."""
    gone = delete(evidence).where(evidence.c.sha256 == sha256)
    rows = (await tx.execute(gone.returning(evidence.c.key_id, evidence.c.object_path))).all()
    for row in rows:
        await schedule_destruction(tx, row.key_id)
    return [row.object_path for row in rows]


class EvidenceAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "EVIDENCE_AWAY"


class BlobStore:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        options: dict[str, Any] = {"mkdir": True} if self._folder else {}
        self._store = from_url(url, **options)

    async def put(self, path: str, content: bytes) -> None:
        """Write an object atomically. Raises EvidenceAway if the object store is unavailable."""
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(self._store, path, content, use_multipart=False)
                if self._folder is not None:
                    await asyncio.to_thread(_to_disk, self._folder, self._folder / path)
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def get(self, path: str) -> bytes:
        """Return the encrypted bytes of an object.

        Raises EvidenceDamaged if the store has other objects but not this one, or EvidenceAway if
        the store is unavailable or empty.
        """
        try:
            async with asyncio.timeout(GET_SECONDS):
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            if await self.has_objects():
                raise EvidenceDamaged(Damage.MISSING) from error
            raise EvidenceAway from error  # an empty store: not mounted, or another one
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def has_objects(self) -> bool:
        """Whether the store has any object. Raises EvidenceAway if the store is unavailable."""
        try:
            async with asyncio.timeout(GET_SECONDS):
                # The days alone: an object that cannot be read must not hide the others.
                found = await obstore.list_with_delimiter_async(self._store)
                return bool(found["common_prefixes"] or found["objects"])
        except (BaseError, OSError) as error:
            raise EvidenceAway from error

    async def under(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Yield the path of each object under a path prefix, with the time of its last write."""
        async for batch in obstore.list(self._store, prefix=prefix):
            for found in batch:
                yield found["path"], found["last_modified"]

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects. Raises EvidenceAway if one is not there or the object store is
        unavailable."""
        try:
            await obstore.delete_async(self._store, list(paths))
        except (BaseError, OSError) as error:
            raise EvidenceAway from error


def _to_disk(root: Path, path: Path) -> None:
    """Flush the file and every folder up to the root to the disk, so that its name is durable."""
    for place in (path, *path.parents):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if place == root:
            return
