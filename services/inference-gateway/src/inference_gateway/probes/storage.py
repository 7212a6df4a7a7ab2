"""The database table with the state of each probed AI function, and its SQL statements."""

from datetime import datetime

from chassis.transaction import Tx
from sqlalchemy import Column, DateTime, Double, Integer, MetaData, Table, Text, Uuid, func, select
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.probes.model import Found, Function, Standing

_moment = DateTime(timezone=True)
probed_functions = Table(
    "probed_functions",
    MetaData(),
    Column("function", Text, primary_key=True),
    Column("degradation_id", Uuid),
    Column("since", _moment),
    Column("right_at", _moment),
    Column("wrong_since", _moment),
    Column("probes", Integer),
    Column("answered_right", Integer),
    Column("slowest_seconds", Double),
    Column("models_fingerprint", Text),
    Column("probed_at", _moment),
)


async def standing(tx: Tx, function: Function) -> Standing:
    query = select(probed_functions).where(probed_functions.c.function == function.value)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        return Standing(function)
    return Standing(function, row.right_at, row.wrong_since, row.degradation_id, row.since)


async def last_round(tx: Tx) -> datetime | None:
    """Return when the last round of probes ended, whichever instance of the service ran it; None if
    there was no round yet."""
    found: datetime | None = await tx.scalar(select(func.max(probed_functions.c.probed_at)))
    return found


async def keep(
    tx: Tx, standing: Standing, found: Found, *, fingerprint: str, now: datetime
) -> None:
    values = {
        "degradation_id": standing.degradation_id,
        "since": standing.since,
        "right_at": standing.right_at,
        "wrong_since": standing.wrong_since,
        "probes": found.probes,
        "answered_right": found.right,
        "slowest_seconds": found.slowest_seconds,
        "models_fingerprint": fingerprint,
        "probed_at": now,
    }
    new = insert(probed_functions).values(function=standing.function.value, **values)
    await tx.execute(new.on_conflict_do_update(index_elements=["function"], set_=values))
