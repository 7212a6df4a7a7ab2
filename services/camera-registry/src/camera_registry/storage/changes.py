"""Assigns positions to sets of camera changes, reads the changes in order, and deletes old ones.

Triggers store the changes of each SQL statement as a set without a position (migration 0018).
Positions are assigned only to committed sets, by one transaction at a time. So whoever can read a
position can also read all lower positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    MetaData,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.model.changes import (
    Change,
    ChangeKind,
    Position,
    ResumeTokenTooOld,
    ResumeTokenWrong,
    Step,
)
from camera_registry.model.status import CameraStatus
from camera_registry.storage.tables import moment

KEPT = timedelta(days=7)
# Sets that get their positions, that a read goes through, and that are deleted, in one transaction.
PLACED_AT_ONCE = 1000
READ_AT_ONCE = 500
FORGOTTEN_AT_ONCE = 50

sets = Table(
    "camera_change_sets",
    MetaData(),
    Column("set_id", BigInteger, primary_key=True),
    Column("position", BigInteger),
    Column("changed_at", moment),
)
changes = Table(
    "camera_changes",
    MetaData(),
    Column("set_id", BigInteger, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("camera_id", Uuid, primary_key=True),
    Column("version", BigInteger),
    Column("kind", Text),
    Column("status", Text),
    Column("elsewhere", Text),
)
# A single row.
feed = Table(
    "camera_change_feed",
    MetaData(),
    Column("is_single", Boolean, primary_key=True),
    Column("last_position", BigInteger),
    Column("first_position", BigInteger),
)


@dataclass(frozen=True)
class Found:
    """The changes that were read, in order, and the position at which the next read begins."""

    steps: Sequence[Step]
    following: Position


async def are_any_new(db: Database) -> bool:
    """Whether any committed set of changes has no position yet."""
    [row] = await db.read(SYSTEM, _ARE_ANY_NEW)
    return bool(row.are_any)


async def place_new(tx: Tx) -> int:
    """Assign the next positions to committed sets of changes; return the number of sets.

    At most PLACED_AT_ONCE sets are taken. Waits while another transaction assigns positions.
    """
    last = await tx.scalar(select(feed.c.last_position).with_for_update())
    # A statement of its own, so that it sees what was committed before the lock was taken.
    placed = len((await tx.execute(_PLACE, {"last": last})).all())
    if placed:
        await tx.execute(update(feed).values(last_position=last + placed))
    return placed


async def last_position(db: Database) -> int:
    """Return the highest position assigned so far, 0 if there is none."""
    [row] = await db.read(SYSTEM, _LAST)
    return int(row.last_position)


async def after(tx: Tx, position: Position, region: str, size: int) -> Found:
    """Return up to `size` changes from `position` on, in order.

    Only changes of `region` are returned; "" stands for all regions in scope. More changes may
    follow even if fewer than `size` are returned. The next read begins at the result's `following`.
    Raises ResumeTokenTooOld if changes from `position` on were deleted, or ResumeTokenWrong if
    `position` is beyond the one that will be assigned next.
    """
    watched = _watched(tx, region)
    await tx.read(_PLAN_ANEW)
    rows = await tx.read(
        _statement(is_limited=watched is not None),
        number=position.number,
        region=position.region,
        camera_id=position.camera_id,
        watched=watched,
        size=size,
    )
    if position.number < rows[0].first_position:
        raise ResumeTokenTooOld
    if position.number > rows[0].last_position + 1:
        raise ResumeTokenWrong
    steps = [_step(row) for row in rows if row.camera_id is not None]
    if len(steps) == size:
        return Found(steps, steps[-1].position)
    passed = min(rows[0].last_position + 1, position.number + READ_AT_ONCE)
    return Found(steps, Position(passed))


async def forget_old(tx: Tx) -> int:
    """Delete the oldest sets of changes that are older than `KEPT`; return the number of sets."""
    before = await tx.now() - KEPT
    ids = [row.set_id for row in await tx.execute(_OLDEST, {"before": before})]
    if ids:
        await tx.execute(delete(changes).where(changes.c.set_id.in_(ids)))
        deleted = delete(sets).where(sets.c.set_id.in_(ids)).returning(sets.c.position)
        first = max(row.position for row in await tx.execute(deleted)) + 1
        await tx.execute(update(feed).values(first_position=first))
    return len(ids)


def _watched(tx: Tx, region: str) -> list[str] | None:
    """The regions whose changes are to be read; None stands for all."""
    if region:
        return [region]
    return None if tx.scope.sees_all_regions else sorted(set(tx.scope.regions))


def _step(row: Any) -> Step:
    change = Change(
        row.camera_id,
        row.region,
        row.version,
        ChangeKind(row.kind),
        CameraStatus(row.status),
        row.changed_at,
    )
    return Step(change, Position(row.position, row.region, row.camera_id))


@lru_cache(maxsize=2)
def _statement(*, is_limited: bool) -> Read:
    """Changes after a position, with the row of the feed, which is also there without changes.

    It is one statement, so that no change between the read and the feed's row is passed over.
    """
    number = bindparam("number", type_=BigInteger)
    begun = sets.c.position == number
    following = (
        select(
            sets.c.set_id,
            sets.c.position,
            sets.c.changed_at,
            case((begun, bindparam("region", type_=Text)), else_="").label("after_region"),
            case((begun, bindparam("camera_id", type_=Uuid)), else_=_LEAST_ID).label("after_id"),
        )
        .where(sets.c.position >= number, sets.c.position < number + READ_AT_ONCE)
        .order_by(sets.c.position)
        .limit(READ_AT_ONCE)
        .subquery("following")
    )
    of_set = _of_set(following, is_limited=is_limited).lateral("of_set")
    chosen = (
        select(following.c.position, following.c.changed_at, of_set)
        .select_from(following.join(of_set, true()))
        .order_by(following.c.position, of_set.c.region, of_set.c.camera_id)
        .limit(_SIZE)
        .subquery("chosen")
    )
    query = select(feed.c.first_position, feed.c.last_position, chosen)
    query = query.select_from(feed.outerjoin(chosen, true()))
    return Read(query.order_by(chosen.c.position, chosen.c.region, chosen.c.camera_id))


def _of_set(following: Any, *, is_limited: bool) -> Select[Any]:
    """The next changes of one set. The query has a limit of its own, so that each set is read by
    the index."""
    names = ("region", "camera_id", "version", "kind", "status")
    place = tuple_(changes.c.region, changes.c.camera_id)
    query = (
        select(*(changes.c[name] for name in names))
        .where(
            changes.c.set_id == following.c.set_id,
            place > tuple_(following.c.after_region, following.c.after_id),
            _is_watched(is_limited=is_limited),
        )
        .order_by(changes.c.region, changes.c.camera_id)
        .limit(_SIZE)
    )
    return query.correlate(following)


def _is_watched(*, is_limited: bool) -> Any:
    """The condition that a change is returned: its region is watched. A camera's move is a change
    in both regions. The former region's change is left out if the new region is watched too."""
    elsewhere = changes.c.elsewhere
    if not is_limited:
        return elsewhere.is_(None)
    watched: Any = func.any(bindparam("watched", type_=ARRAY(Text)))
    return and_(changes.c.region == watched, or_(elsewhere.is_(None), ~(elsewhere == watched)))


def _place() -> Any:
    first = (
        select(sets.c.set_id)
        .where(sets.c.position.is_(None))
        .order_by(sets.c.set_id)
        .limit(PLACED_AT_ONCE)
        .subquery("first")
    )
    number = func.row_number().over(order_by=first.c.set_id)
    numbered = select(first.c.set_id, number.label("number")).subquery("numbered")
    return (
        update(sets)
        .where(sets.c.set_id == numbered.c.set_id)
        .values(position=bindparam("last", type_=BigInteger) + numbered.c.number)
        .returning(sets.c.set_id)
    )


_SIZE = bindparam("size", type_=BigInteger)
_LEAST_ID = bindparam("least_id", value=Position(0).camera_id, type_=Uuid)
_PLAN_ANEW = Read(
    select(func.set_config("plan_cache_mode", "force_custom_plan", True).label("plan_cache_mode"))
)
_ARE_ANY_NEW = Read(
    select(select(sets.c.set_id).where(sets.c.position.is_(None)).exists().label("are_any"))
)
_LAST = Read(select(feed.c.last_position))
_PLACE = _place()
_first = (
    select(sets.c.set_id, sets.c.changed_at)
    .where(sets.c.position.is_not(None))
    .order_by(sets.c.position)
    .limit(FORGOTTEN_AT_ONCE)
    .subquery("first")
)
_OLDEST = select(_first.c.set_id).where(_first.c.changed_at < bindparam("before", type_=moment))
