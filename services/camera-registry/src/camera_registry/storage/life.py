"""Stores the last reports of hubs, the resulting statuses, and when reports were last processed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import new_id
from chassis.transaction import Tx
from law.guards.verification import is_verified
from law.zone import almaty_day, start_of
from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    column,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from camera_registry.model.children import Child, Transition
from camera_registry.model.hubs import HubLife, Incident
from camera_registry.model.status import CameraStatus, State, StatusReason, state_of
from camera_registry.storage.tables import (
    cameras,
    heartbeat_watch,
    hub_changes,
    hub_incidents,
    hub_life,
    hubs,
    moment,
)

# How far in the future a report may seem to lie because two copies' clocks differ.
CLOCKS_APART = timedelta(seconds=5)
# A hub that falls silent again so soon after its incident has ended opens that one again.
REOPENED_WITHIN = timedelta(hours=1)
STATES_AT_ONCE = 5000
HUBS_AT_ONCE = 1000
MeasuresSpeed = Callable[[str], bool]


def is_watched() -> ColumnElement[bool]:
    """The SQL condition that hubs' reports were last processed between two moments.

    The moments are the SQL parameters `looked_since` and `now` (see `cameras.Known`). If reports
    were last processed before them, a hub may have fallen silent unnoticed; if after them, the
    clock has been set back since.
    """
    since, now = (bindparam(name, type_=moment) for name in ("looked_since", "now"))
    looked_at = heartbeat_watch.c.looked_at
    return exists(heartbeat_watch.c.is_single).where(looked_at.between(since, now))


async def look(tx: Tx, now: datetime) -> None:
    """Store `now` as the time at which reports were last processed."""
    row = insert(heartbeat_watch).values(is_single=True, looked_at=now)
    await tx.execute(
        row.on_conflict_do_update(index_elements=["is_single"], set_={"looked_at": now})
    )


async def take_changes(tx: Tx) -> set[UUID]:
    """Return the ids of hubs that changed, or whose cameras changed, since the last call.

    The ids are deleted from the table `hub_changes`.
    """
    rows = await tx.execute(delete(hub_changes).returning(hub_changes.c.hub_id))
    return {row.hub_id for row in rows}


async def read_hubs(tx: Tx, ids: Collection[UUID] | None = None) -> list[HubLife]:
    """Return the hubs whose reports are processed. If `ids` is given, only hubs with these ids are
    read.

    Only two kinds of hubs have their reports processed: hubs in service, and revoked hubs whose
    cameras are not yet set to UNKNOWN.
    """
    is_open = (hub_incidents.c.hub_id == hubs.c.hub_id) & hub_incidents.c.ended_at.is_(None)
    query = (
        select(hubs, hub_life, exists(hub_incidents.c.hub_id).where(is_open).label("has_incident"))
        .select_from(hubs.outerjoin(hub_life, hub_life.c.hub_id == hubs.c.hub_id))
        .where(or_(hubs.c.revoked_at.is_(None), hub_life.c.is_silent.is_(False)))
    )
    given = {}
    if ids is not None:
        query, given = query.where(hubs.c.hub_id == func.any(_ids)), {"ids": list(ids)}
    return [
        HubLife(
            row.hub_id,
            row.region,
            bytes(row.public_key),
            row.number or 0,
            row.heard_at,
            bool(row.is_silent),
            row.has_incident,
            row.events or 0,
            is_revoked=row.revoked_at is not None,
        )
        for row in await tx.execute(query, given)
    ]


async def read_children(
    tx: Tx, ids: Collection[UUID], now: datetime, measures_speed: MeasuresSpeed
) -> dict[UUID, list[Child]]:
    """Return each hub's cameras in service, by hub id.

    `measures_speed` returns whether cameras of a kind need a verification. The field
    `verified_until` of such a camera is the end of the verification in force at `now`. If there is
    none, it is `now`.
    """
    found: dict[UUID, list[Child]] = {hub_id: [] for hub_id in ids}
    for row in await tx.execute(_CHILDREN, {"ids": list(ids)}):
        until = _verified_until(row.verifications, now) if measures_speed(row.kind) else None
        reason = StatusReason(row.status_reason) if row.status_reason else None
        state = state_of(CameraStatus(row.status), reason)
        joined_at = row.status_as_of if state is State.UNHEARD else None
        child = Child(row.camera_id, state, tuple(row.status_changed_at), until, joined_at)
        found[row.hub_id].append(child)
    return found


def _verified_until(papers: Iterable[Mapping[str, str]], now: datetime) -> datetime:
    """The end of the verification in force that lasts longest; `now` if there is none."""
    ends = [now]
    for paper in papers:
        since, until = (
            datetime.fromisoformat(paper[name]) for name in ("valid_from", "valid_until")
        )
        if is_verified(since, until, now):
            ends.append(start_of(almaty_day(until) + timedelta(days=1)))
    return max(ends)


async def lock_cameras(tx: Tx, ids: Collection[UUID]) -> None:
    """Lock the rows of cameras whose states change, in the order in which an import locks rows.

    If one call locks all the cameras of a transaction, the transaction cannot deadlock with an
    import.
    """
    await tx.execute(_LOCK, {"ids": list(ids)})


async def set_states(
    tx: Tx, hub_id: UUID, transitions: Sequence[Transition], as_of: datetime
) -> dict[UUID, int]:
    """Store changed states of a hub's cameras, whose rows are locked.

    Returns the new status versions by camera id. Cameras that were meanwhile retired or got another
    hub are neither changed nor returned.
    """
    versions: dict[UUID, int] = {}
    for start in range(0, len(transitions), STATES_AT_ONCE):
        given = transitions[start : start + STATES_AT_ONCE]
        standings = [each.state.standing for each in given]
        values = {
            "hub_id": hub_id,
            "as_of": as_of,
            "ids": [each.camera_id for each in given],
            "statuses": [each.status.value for each in standings],
            "sources": [each.source.value for each in standings],
            "reasons": [each.reason.value if each.reason else "" for each in standings],
            "changed_at": [_array(each.changed_at) for each in given],
            "offsets": [each.clock_offset_milliseconds for each in given],
        }
        rows = await tx.execute(_SET_STATES, values)
        versions |= {row.camera_id: row.status_version for row in rows}
    return versions


def _array(moments: Iterable[datetime]) -> str:
    """Moments in PostgreSQL's notation of an array."""
    return "{" + ",".join(f'"{each.isoformat()}"' for each in moments) + "}"


async def keep_heard(tx: Tx, heard: Sequence[HubLife]) -> None:
    """Store, for each hub, the number and time of its last report, whether it is silent, and how
    many events about it were published."""
    values = [
        {
            "hub_id": hub.hub_id,
            "region": hub.region,
            "number": hub.number,
            "heard_at": hub.heard_at,
            "is_silent": hub.is_silent,
            "events": hub.events,
        }
        for hub in heard
    ]
    # A statement has a limited number of parameters.
    for start in range(0, len(values), HUBS_AT_ONCE):
        rows = insert(hub_life).values(values[start : start + HUBS_AT_ONCE])
        changed = {
            name: rows.excluded[name] for name in ("number", "heard_at", "is_silent", "events")
        }
        await tx.execute(rows.on_conflict_do_update(index_elements=["hub_id"], set_=changed))


async def open_incident(tx: Tx, hub: HubLife, now: datetime, cameras_silent: int) -> Incident:
    """Open and return an incident of a silent hub; `cameras_silent` is how many cameras it affects.

    If the hub's last incident ended less than REOPENED_WITHIN ago, that incident is reopened
    instead.
    """
    assert hub.heard_at is not None
    last = (
        select(hub_incidents.c.incident_id)
        .where(
            hub_incidents.c.hub_id == hub.hub_id, hub_incidents.c.ended_at > now - REOPENED_WITHIN
        )
        .order_by(hub_incidents.c.opened_at.desc())
        .limit(1)
    )
    again = (
        update(hub_incidents)
        .where(hub_incidents.c.incident_id.in_(last))
        .values(
            silent_since=hub.heard_at,
            ended_at=None,
            cameras=cameras_silent,
            times=hub_incidents.c.times + 1,
        )
        .returning(hub_incidents)
    )
    row = (await tx.execute(again)).one_or_none()
    if row is not None:
        return Incident(row.incident_id, row.silent_since, row.opened_at, row.cameras, row.times)
    incident = Incident(new_id(), hub.heard_at, now, cameras_silent, 1)
    await tx.execute(
        insert(hub_incidents).values(
            incident_id=incident.incident_id,
            hub_id=hub.hub_id,
            region=hub.region,
            silent_since=hub.heard_at,
            opened_at=now,
            cameras=cameras_silent,
            times=1,
        )
    )
    return incident


async def close_incident(tx: Tx, hub_id: UUID, now: datetime) -> UUID | None:
    """Close a hub's open incident and return its id, None if there is none."""
    closed = (
        update(hub_incidents)
        .where(hub_incidents.c.hub_id == hub_id, hub_incidents.c.ended_at.is_(None))
        .values(ended_at=now)
        .returning(hub_incidents.c.incident_id)
    )
    found: UUID | None = await tx.scalar(closed)
    return found


_ids = bindparam("ids", type_=ARRAY(cameras.c.camera_id.type))
_texts = ARRAY(Text)
_CHILDREN = select(
    cameras.c.hub_id,
    cameras.c.camera_id,
    cameras.c.kind,
    cameras.c.verifications,
    cameras.c.status,
    cameras.c.status_reason,
    cameras.c.status_as_of,
    # Of no use to other statements, so not a column of the table there.
    column("status_changed_at", ARRAY(moment)),
).where(cameras.c.hub_id == func.any(_ids), cameras.c.retired_at.is_(None))
_LOCK = (
    select(cameras.c.camera_id)
    .where(cameras.c.camera_id == func.any(_ids))
    .order_by(cameras.c.camera_id)
    .with_for_update(key_share=True)
)
_SET_STATES = text(
    "UPDATE cameras SET status = given.status, status_as_of = :as_of, status_source = given.source,"
    " status_reason = given.reason, status_version = cameras.status_version + 1,"
    " status_changed_at = CAST(given.changed_at AS timestamptz[]),"
    " clock_offset_milliseconds = given.clock_offset"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:sources AS text[]),"
    " CAST(:reasons AS text[]), CAST(:changed_at AS text[]), CAST(:offsets AS integer[]))"
    " AS given(camera_id, status, source, reason, changed_at, clock_offset)"
    " WHERE cameras.camera_id = given.camera_id AND cameras.hub_id = :hub_id"
    " AND cameras.retired_at IS NULL RETURNING cameras.camera_id, cameras.status_version"
)
