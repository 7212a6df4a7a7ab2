"""The database tables of damaged evidence and of the rounds in which evidence is checked, and their
SQL statements."""

from uuid import UUID

from chassis.clock import new_id
from chassis.tables import service_now
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.evidence.model import Damage, DamagedEvidence, Round
from inference_gateway.evidence.storage import (
    EvidencePlace,
    StoredEvidence,
    evidence,
    is_evidence,
    kept_in,
)

_metadata = MetaData()
_moment = DateTime(timezone=True)

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


async def current_round(tx: Tx) -> Round | None:
    """Return the round of the evidence check that is in progress or ended last; None before the
    first."""
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
    """Return evidence with hashes above `after` and up to `until`, in the order of hashes. The
    result has `limit` pieces at most, plus all further pieces with the hash of the last one. Also
    return the hash up to which the result is complete. Evidence whose key was destroyed is left
    out."""
    query = (
        select(evidence)
        .where(evidence.c.sha256 > after, evidence.c.sha256 <= until)
        .order_by(evidence.c.sha256)
        .fetch(limit, with_ties=True)
    )
    rows = (await tx.execute(query)).all()
    found = [(await kept_in(tx, row), EvidencePlace(row.region, row.only_role)) for row in rows]
    read_until = rows[-1].sha256 if len(rows) >= limit else until
    return [(kept, place) for kept, place in found if kept is not None], read_until


async def note_damage(
    tx: Tx, kept: StoredEvidence, place: EvidencePlace, damage: Damage
) -> UUID | None:
    """Record that the stored object `kept` is damaged, and return the id of this finding. Returns
    None if the damage is already recorded, or the evidence was deleted meanwhile."""
    of_row = select(
        evidence.c.object_path, literal(new_id()), literal(damage.value), service_now
    ).where(*is_evidence(kept.sha256, place), evidence.c.object_path == kept.object_path)
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
    .join_from(damaged_evidence, evidence, evidence.c.object_path == damaged_evidence.c.object_path)
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


async def damaged_objects(tx: Tx, *, after: str, size: int) -> dict[str, StoredEvidence | None]:
    """Return the page of objects that `damaged` returns, by path. Each object has the key that
    decrypts it; the value is None if that key was destroyed."""
    page = _OPEN_DAMAGE.where(damaged_evidence.c.object_path > after).limit(size)
    rows = (await tx.execute(page)).all()
    return {row.object_path: await kept_in(tx, row) for row in rows}


async def count_damaged(tx: Tx) -> dict[Damage, int]:
    """Return, for each kind of damage, the number of objects that are not repaired."""
    open_damage = _OPEN_DAMAGE.order_by(None).subquery()
    number = func.count().label("number")
    counted = select(open_damage.c.damage, number).group_by(open_damage.c.damage)
    numbers = {row.damage: int(row.number) for row in await tx.execute(counted)}
    return {damage: numbers.get(damage, 0) for damage in Damage}
