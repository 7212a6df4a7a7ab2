"""The database tables of evidence, of damaged evidence and of the rounds that find it, and their SQL
statements."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from chassis.clock import new_id
from chassis.tables import data_keys, service_now
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey

from inference_gateway.evidence.model import Damage, DamagedEvidence, Round

KEY_CLASS = "evidence"
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
damaged_evidence = Table(
    "damaged_evidence",
    _metadata,
    Column("object_path", Text, primary_key=True),
    Column("damage_id", Uuid),
    Column("damage", Text),
    Column("found_at", _moment),
    Column("repaired_at", _moment),
)
evidence_rounds = Table(
    "evidence_rounds",
    _metadata,
    Column("is_only_row", Boolean, primary_key=True),
    Column("began_at", _moment),
    Column("read_until", Text),
    Column("objects", BigInteger),
    Column("ended_at", _moment),
)


@dataclass(frozen=True)
class StoredEvidence:
    """An encrypted object in the object store, and the data key that decrypts it. `sha256` is the
    hash of its plain content."""

    sha256: str
    content_type: str
    size_bytes: int
    key: DataKey
    object_path: str
    # The form that operators are shown, where it is another.
    shown: "StoredEvidence | None" = None
    is_showable: bool = True

    @property
    def shown_sha256(self) -> str:
        """The SHA-256 of the version shown to operators, which has no metadata; "" if no such
        version can be made."""
        return (self.shown or self).sha256 if self.is_showable else ""


@dataclass(frozen=True)
class EvidencePlace:
    """Who may read a piece of evidence: users of `region` and, unless `only_role` is "", only those
    with that role."""

    region: str
    only_role: str = ""


@dataclass(frozen=True)
class FoundEvidence:
    stored: StoredEvidence
    place: EvidencePlace
    # As in the table; None: not made yet, "": none can be made. A separate form is `stored.shown`.
    shown_sha256: str | None


async def store_evidence(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> None:
    """Insert the row of an encrypted original. If the version shown to operators is a separate
    object, insert a row for it too. A row that exists with the same content, region and role is
    kept."""
    if kept.shown is not None:
        await _add_evidence(tx, kept.shown, place)
    if not await _add_evidence(tx, kept, place):
        await _set_shown(tx, kept, place)


async def note_shown(tx: Tx, kept: StoredEvidence, place: EvidencePlace) -> None:
    """Store the version that is shown to operators, for evidence that was stored without one."""
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
        .where(*_is(kept.sha256, place), evidence.c.shown_sha256.is_(None))
        .values(shown_sha256=kept.shown_sha256)
    )


async def find_evidence(tx: Tx, sha256: str) -> FoundEvidence | None:
    """Return the evidence whose original has this SHA-256. Returns None if there is none within the
    transaction's scope, or its encryption key was destroyed."""
    row = (
        await tx.execute(
            select(evidence).where(evidence.c.sha256 == sha256).order_by(evidence.c.only_role)
        )
    ).first()
    kept = None if row is None else await _kept(tx, row)
    if row is None or kept is None:
        return None
    place = EvidencePlace(row.region, row.only_role)
    if row.shown_sha256 in (None, "", sha256):
        return FoundEvidence(kept, place, row.shown_sha256)
    shown = (await tx.execute(select(evidence).where(*_is(row.shown_sha256, place)))).one()
    form = await _kept(tx, shown)
    return FoundEvidence(replace(kept, shown=form), place, row.shown_sha256) if form else None


async def _kept(tx: Tx, row: Any) -> StoredEvidence | None:
    try:
        key = await tx.keys.get(KEY_CLASS, row.key_id)
    except KeyError:  # destroyed, and with it the content
        return None
    return StoredEvidence(row.sha256, row.content_type, row.size_bytes, key, row.object_path)


def _is(sha256: str, place: EvidencePlace) -> tuple[ColumnElement[bool], ...]:
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


async def current_round(tx: Tx) -> Round | None:
    """The round of the check that goes on or has ended last; None before the first."""
    row = (await tx.execute(select(evidence_rounds))).one_or_none()
    if row is None:
        return None
    return Round(row.began_at, row.read_until, row.objects, row.ended_at)


async def keep_round(tx: Tx, now: Round) -> None:
    values = {
        "began_at": now.began_at,
        "read_until": now.read_until,
        "objects": now.objects,
        "ended_at": now.ended_at,
    }
    upsert = insert(evidence_rounds).values(is_only_row=True, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=["is_only_row"], set_=values))


async def evidence_between(
    tx: Tx, after: str, until: str, limit: int
) -> tuple[list[tuple[StoredEvidence, EvidencePlace]], str]:
    """Return the evidence whose hashes lie after `after` and not after `until`, about `limit` of
    it, and the hash up to which that is all. What was erased with its key is left out."""
    query = (
        select(evidence)
        .where(evidence.c.sha256 > after, evidence.c.sha256 <= until)
        .order_by(evidence.c.sha256)
        .fetch(limit, with_ties=True)
    )
    rows = (await tx.execute(query)).all()
    found = [(await _kept(tx, row), EvidencePlace(row.region, row.only_role)) for row in rows]
    read_until = rows[-1].sha256 if len(rows) >= limit else until
    return [(kept, place) for kept, place in found if kept is not None], read_until


async def note_damage(
    tx: Tx, kept: StoredEvidence, place: EvidencePlace, damage: Damage
) -> UUID | None:
    """Store that an object is damaged; return the id of this finding. Returns None if that is known
    already, or the evidence was deleted meanwhile."""
    of_row = select(
        evidence.c.object_path, literal(new_id()), literal(damage.value), service_now
    ).where(*_is(kept.sha256, place), evidence.c.object_path == kept.object_path)
    new = insert(damaged_evidence).from_select(
        ["object_path", "damage_id", "damage", "found_at"], of_row
    )
    noted = new.on_conflict_do_update(
        index_elements=["object_path"],
        set_={
            "damage_id": new.excluded.damage_id,
            "damage": new.excluded.damage,
            "found_at": new.excluded.found_at,
            "repaired_at": None,
        },
        where=damaged_evidence.c.repaired_at.is_not(None),
    )
    found: UUID | None = await tx.scalar(noted.returning(damaged_evidence.c.damage_id))
    return found


async def note_repaired(tx: Tx, object_path: str) -> None:
    await tx.execute(
        update(damaged_evidence)
        .where(damaged_evidence.c.object_path == object_path)
        .values(repaired_at=service_now)
    )


_OPEN_DAMAGE = (
    select(
        evidence,
        damaged_evidence.c.damage_id,
        damaged_evidence.c.damage,
        damaged_evidence.c.found_at,
    )
    .join_from(
        damaged_evidence, evidence, evidence.c.object_path == damaged_evidence.c.object_path
    )
    .where(damaged_evidence.c.repaired_at.is_(None))
    .order_by(damaged_evidence.c.object_path)
)


async def damaged(tx: Tx, *, after: str, size: int) -> list[DamagedEvidence]:
    """Return a page of the damaged objects that are not repaired, in order of their paths. `after`
    is the path of the last object on the previous page."""
    page = _OPEN_DAMAGE.where(damaged_evidence.c.object_path > after).limit(size)
    return [
        DamagedEvidence(
            row.damage_id,
            row.sha256,
            row.region,
            row.only_role,
            row.object_path,
            Damage(row.damage),
            row.found_at,
        )
        for row in await tx.execute(page)
    ]


async def damaged_objects(tx: Tx, *, after: str, size: int) -> list[StoredEvidence]:
    """Return a page of the damaged objects as `damaged` does, with the keys to read them."""
    page = _OPEN_DAMAGE.where(damaged_evidence.c.object_path > after).limit(size)
    found = [await _kept(tx, row) for row in (await tx.execute(page)).all()]
    return [kept for kept in found if kept is not None]


async def count_damaged(tx: Tx) -> dict[Damage, int]:
    """Return how many objects are damaged and not repaired, by kind of damage."""
    open_damage = _OPEN_DAMAGE.order_by(None).subquery()
    counted = select(open_damage.c.damage, func.count()).group_by(open_damage.c.damage)
    numbers = {Damage(damage): int(number) for damage, number in await tx.execute(counted)}
    return {damage: numbers.get(damage, 0) for damage in Damage}


async def is_shown_form(tx: Tx, sha256: str, place: EvidencePlace) -> bool:
    """Whether `sha256` is the hash of a version that operators are shown in place of an original.

    Only originals at this `place` count. False for an original that is shown unchanged.
    """
    query = select(evidence.c.sha256).where(
        evidence.c.shown_sha256 == sha256,
        evidence.c.sha256 != sha256,
        evidence.c.region == place.region,
        evidence.c.only_role == place.only_role,
    )
    return await tx.scalar(query.limit(1)) is not None


async def take_away(tx: Tx, sha256: str, place: EvidencePlace) -> str:
    """Delete a row of evidence and destroy its encryption key. If the version shown to operators is
    a separate object, return its SHA-256, otherwise ""."""
    gone = (
        await tx.execute(
            delete(evidence)
            .where(*_is(sha256, place))
            .returning(evidence.c.key_id, evidence.c.shown_sha256)
        )
    ).one_or_none()
    if gone is None:
        return ""
    await tx.keys.destroy(gone.key_id)
    return str(gone.shown_sha256 or "") if gone.shown_sha256 != sha256 else ""
