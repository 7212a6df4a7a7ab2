"""Stores hubs, and reads them with their incidents."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Select, and_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from camera_registry.model.hubs import Hub, HubKeyTaken, HubKind, HubNotFound, Incident
from camera_registry.storage.tables import hub_changes, hub_incidents, hub_life, hubs

# The constraints that an added hub may violate.
_ID, _KEY = "hubs_pkey", "hubs_key"


async def add(tx: Tx, hub: Hub) -> bool:
    """Add a hub; return False if its id is taken. Raises HubKeyTaken if its public key is taken."""
    values = {
        "hub_id": hub.hub_id,
        "region": hub.region,
        "name": hub.name,
        "kind": hub.kind.value,
        "public_key": hub.public_key,
        "registered_at": hub.registered_at,
    }
    try:
        await tx.execute(insert(hubs).values(**values))
    except IntegrityError as error:
        if _KEY in str(error.orig):
            raise HubKeyTaken from error
        if _ID in str(error.orig):
            return False
        raise
    await note_change(tx, hub)
    return True


async def note_change(tx: Tx, hub: Hub) -> None:
    """Record that a hub changed. The replica that processes hubs' reports then reads it and its
    cameras again."""
    await tx.execute(insert(hub_changes).values(hub_id=hub.hub_id, region=hub.region))


async def revoke(tx: Tx, hub_id: UUID, now: datetime) -> tuple[Hub, bool]:
    """Revoke a hub. Raises HubNotFound.

    Returns the hub, and whether this call revoked it: False if it was revoked already.
    """
    hub = await get(tx, hub_id, for_update=True)
    if hub.revoked_at is not None:
        return hub, False
    await tx.execute(update(hubs).where(hubs.c.hub_id == hub_id).values(revoked_at=now))
    await note_change(tx, hub)
    return replace(hub, revoked_at=now), True


async def get(tx: Tx, hub_id: UUID, *, for_update: bool = False) -> Hub:
    """Return a hub. Raises HubNotFound, also for one outside of the scope's regions."""
    query = _hubs().where(hubs.c.hub_id == hub_id)
    if for_update:
        query = query.with_for_update(of=hubs)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise HubNotFound
    return _hub_of(row)


async def page(tx: Tx, region: str, *, is_silent: bool, after: UUID | None, size: int) -> list[Hub]:
    """Return up to `size` hubs of `region` ("" means all), ordered by id, with ids above `after`.

    If `is_silent`, only hubs with an open incident are returned.
    """
    query = _hubs().order_by(hubs.c.hub_id).limit(size)
    if region:
        query = query.where(hubs.c.region == region)
    if is_silent:
        query = query.where(hub_incidents.c.incident_id.is_not(None))
    if after is not None:
        query = query.where(hubs.c.hub_id > after)
    return [_hub_of(row) for row in await tx.execute(query)]


async def in_service(
    tx: Tx, given: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], HubKind]:
    """Return the kinds of those `given` hubs that are in service.

    A hub is given by its id and region. This pair is the hub's key in the result.
    """
    if not given:
        return {}
    query = select(hubs.c.hub_id, hubs.c.region, hubs.c.kind).where(
        tuple_(hubs.c.hub_id, hubs.c.region).in_(given), hubs.c.revoked_at.is_(None)
    )
    rows = await tx.execute(query)
    return {(row.hub_id, row.region): HubKind(row.kind) for row in rows}


def _hubs() -> Select[Any]:
    is_open = and_(hub_incidents.c.hub_id == hubs.c.hub_id, hub_incidents.c.ended_at.is_(None))
    incident = [
        hub_incidents.c[name]
        for name in ("incident_id", "silent_since", "opened_at", "cameras", "times")
    ]
    joined = hubs.outerjoin(hub_life, hub_life.c.hub_id == hubs.c.hub_id)
    return select(hubs, hub_life.c.heard_at, *incident).select_from(
        joined.outerjoin(hub_incidents, is_open)
    )


def _hub_of(row: Any) -> Hub:
    incident = None
    if row.incident_id is not None:
        incident = Incident(
            row.incident_id, row.silent_since, row.opened_at, row.cameras, row.times
        )
    return Hub(
        row.hub_id,
        row.name,
        row.region,
        HubKind(row.kind),
        bytes(row.public_key),
        row.registered_at,
        row.revoked_at,
        row.heard_at,
        incident,
    )
