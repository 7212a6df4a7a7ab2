"""The database tables of streams and workers. Leases use the database's clock.

Every write by the holder of a lease names the lease's generation and the first slot (frame
interval) written. So a worker that lost its lease writes nothing. A worker that does not know
whether its write succeeded may repeat the write.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.tables import service_now as _now
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    delete,
    extract,
    func,
    literal,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.streams.model import (
    Advance,
    Outcome,
    Stream,
    StreamState,
    fair_share,
)

LEASE = timedelta(seconds=6)
WORKER_FORGOTTEN = timedelta(minutes=5)
metadata = MetaData()
_moment = DateTime(timezone=True)

streams = Table(
    "streams",
    metadata,
    Column("camera_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("address", LargeBinary),
    Column("frames_per_second", Float),
    Column("put_at", _moment),
    Column("state", Text),
    Column("state_since", _moment),
    Column("worker", Text),
    Column("leased_until", _moment),
    Column("generation", BigInteger),
    Column("accounted_until", BigInteger),
    *(Column(outcome.value, BigInteger) for outcome in Outcome),
)
workers = Table(
    "stream_workers",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("seen_at", _moment),
)
_leased = and_(streams.c.worker.is_not(None), streams.c.leased_until > _now)


@dataclass(frozen=True)
class Holding:
    """The streams that are leased to a worker. `too_many` is the number of streams above the
    worker's fair share, 0 if there are none. `now` is a reading of the database's clock in seconds
    since the epoch. At that moment this process's monotonic clock showed `told_at`."""

    # The database's moment, in seconds of the epoch, and when that was on our steady clock.
    now: float
    told_at: float
    streams: tuple[Stream, ...]
    too_many: int


async def put_stream(
    tx: Tx, camera_id: UUID, region: str, *, address: bytes, frames_per_second: float
) -> Stream:
    """Store a camera's stream, or replace it, and return it. A worker that watches the replaced
    stream loses its lease. `address` is the encrypted RTSP address."""
    fresh: dict[str, Any] = {
        "region": region,
        "address": address,
        "frames_per_second": frames_per_second,
        "put_at": _now,
        "state": StreamState.WAITING.value,
        "state_since": _now,
        "worker": None,
        "leased_until": None,
        "accounted_until": 0,
        **{outcome.value: 0 for outcome in Outcome},
    }
    new = insert(streams).values(camera_id=camera_id, generation=0, **fresh)
    put = new.on_conflict_do_update(
        index_elements=["camera_id"], set_={**fresh, "generation": streams.c.generation + 1}
    )
    return _stream((await tx.execute(put.returning(streams, _leased.label("leased")))).one())


async def stream_of(tx: Tx, camera_id: UUID) -> Stream | None:
    row = (await tx.execute(_select().where(streams.c.camera_id == camera_id))).one_or_none()
    return None if row is None else _stream(row)


async def remove_stream(tx: Tx, camera_id: UUID) -> bool:
    removed = await tx.execute(delete(streams).where(streams.c.camera_id == camera_id))
    return bool(removed.rowcount)


async def move_stream(tx: Tx, camera_id: UUID, region: str) -> bool:
    """Move a camera's stream to the camera's new region. Returns False if there is no such stream,
    or if the stream is in that region already.

    The worker that watches the stream loses its lease; the next worker continues the stream.
    """
    moved = await tx.execute(
        update(streams)
        .where(streams.c.camera_id == camera_id, streams.c.region != region)
        .values(region=region, worker=None, leased_until=None, generation=streams.c.generation + 1)
    )
    return bool(moved.rowcount)


async def list_streams(tx: Tx, region: str, *, size: int, after: UUID | None) -> list[Stream]:
    """Return at most `size` streams of a region ("" for all regions), ordered by camera id. `after`
    is the last camera id of the previous page. Row-level security omits streams that the caller may
    not see."""
    query = _select().order_by(streams.c.camera_id).limit(size)
    if region:
        query = query.where(streams.c.region == region)
    if after is not None:
        query = query.where(streams.c.camera_id > after)
    return [_stream(row) for row in (await tx.execute(query)).all()]


async def hold(tx: Tx, worker: str, *, leaving: Sequence[UUID], steady: bool) -> Holding:
    """Record that a worker is alive and extend its leases. Lease free streams to the worker until
    it has its `fair_share`. Raises ClockUnsure if the clocks of database and process differ too
    much.

    Frames that were due while a stream had no worker are counted as NO_WORKER. Streams in
    `leaving`, which the worker is about to give back, do not count towards its share.

    `steady` is False if the worker has just started or was cut off from the database. The worker
    then takes no streams with expired leases, because the holders of these leases are about to
    renew them.
    """
    await _show_life(tx, worker)
    mine = streams.c.worker == worker
    held = await tx.execute(
        update(streams)
        .where(mine)
        .values(leased_until=_now + LEASE)
        .returning(streams, literal(True).label("leased"))
    )
    kept = [_stream(row) for row in held.all()]
    living = await tx.scalar(
        select(func.count()).select_from(workers).where(workers.c.seen_at > _now - LEASE)
    )
    count = await tx.scalar(select(func.count()).select_from(streams))
    staying = sum(1 for stream in kept if stream.camera_id not in leaving)
    share = fair_share(int(count or 0), int(living or 0))
    taken = await _take(tx, worker, share - staying, steady) if staying < share else []
    asked_at = time.monotonic()
    now = (await tx.now()).timestamp()
    told_at = (asked_at + time.monotonic()) / 2
    return Holding(now, told_at, (*kept, *taken), max(0, staying - share))


async def _show_life(tx: Tx, worker: str) -> None:
    seen = insert(workers).values(worker=worker, seen_at=_now)
    await tx.execute(seen.on_conflict_do_update(index_elements=["worker"], set_={"seen_at": _now}))
    await tx.execute(delete(workers).where(workers.c.seen_at < _now - WORKER_FORGOTTEN))


async def _take(tx: Tx, worker: str, most: int, steady: bool) -> list[Stream]:
    nobodys = streams.c.worker.is_(None)
    free = (
        select(streams.c.camera_id)
        .where(or_(nobodys, streams.c.leased_until < _now) if steady else nobodys)
        .order_by(streams.c.camera_id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    age = extract("epoch", _now - streams.c.put_at)
    due = cast(func.floor(age * streams.c.frames_per_second), BigInteger)
    until = func.greatest(streams.c.accounted_until, due)
    taken = await tx.execute(
        update(streams)
        .where(streams.c.camera_id.in_(free))
        .values(
            worker=worker,
            leased_until=_now + LEASE,
            generation=streams.c.generation + 1,
            state=StreamState.WAITING.value,
            state_since=_now,
            no_worker=streams.c.no_worker + until - streams.c.accounted_until,
            accounted_until=until,
        )
        .returning(streams, literal(True).label("leased"))
    )
    return [_stream(row) for row in taken.all()]


async def advance(tx: Tx, steps: Sequence[Advance]) -> set[UUID]:
    """Store one step (`Advance`) for each of several streams. Return the ids of the cameras whose
    step was stored.

    A camera is missing from the result if an earlier call already stored its step, or if the worker
    has lost the stream's lease. Call `progress` to find out which of the two is the case.
    """
    if not steps:
        return set()
    told = values(
        column("camera_id", Uuid),
        column("generation", BigInteger),
        column("begin", BigInteger),
        column("end_", BigInteger),
        column("state", Text),
        *(column(outcome.value, BigInteger) for outcome in Outcome),
        name="told",
    ).data(
        [
            (
                step.camera_id,
                step.generation,
                step.begin,
                step.end,
                step.state.value,
                *(step.counts.get(outcome, 0) for outcome in Outcome),
            )
            for step in sorted(steps, key=lambda step: step.camera_id)
        ]
    )
    written = await tx.execute(
        update(streams)
        .where(
            streams.c.camera_id == told.c.camera_id,
            streams.c.generation == told.c.generation,
            streams.c.accounted_until == told.c.begin,
        )
        .values(
            accounted_until=told.c.end_,
            state=told.c.state,
            state_since=case((streams.c.state == told.c.state, streams.c.state_since), else_=_now),
            **{o.value: streams.c[o.value] + told.c[o.value] for o in Outcome},
        )
        .returning(streams.c.camera_id)
    )
    return set(written.scalars())


async def progress(tx: Tx, cameras: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return, for each camera, the lease generation of its stream and the stream's first slot
    (frame interval) without an outcome. Streams that no longer exist are left out."""
    found = await tx.execute(
        select(streams.c.camera_id, streams.c.generation, streams.c.accounted_until).where(
            streams.c.camera_id.in_(cameras)
        )
    )
    return {row.camera_id: (row.generation, row.accounted_until) for row in found.all()}


async def give_back(tx: Tx, worker: str, cameras: Sequence[UUID] | None = None) -> None:
    """End a worker's leases on the streams of `cameras`. If `cameras` is None, end all leases of
    the worker and delete the worker from the table of workers."""
    free = update(streams).where(streams.c.worker == worker)
    if cameras is not None:
        free = free.where(streams.c.camera_id.in_(cameras))
    await tx.execute(free.values(worker=None, leased_until=None))
    if cameras is None:
        await tx.execute(delete(workers).where(workers.c.worker == worker))


def _select() -> Any:
    return select(streams, _leased.label("leased"))


def _stream(row: Row[Any]) -> Stream:
    since: datetime = row.state_since
    return Stream(
        camera_id=row.camera_id,
        region=row.region,
        address_sealed=bytes(row.address),
        frames_per_second=row.frames_per_second,
        put_at=row.put_at,
        state=StreamState(row.state) if row.leased else StreamState.WAITING,
        state_since=since,
        worker=row.worker if row.leased else "",
        generation=row.generation,
        accounted_until=row.accounted_until,
        counts={outcome: getattr(row, outcome.value) for outcome in Outcome},
    )
