"""Stores batches of imported cameras, each by a few statements over all its rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError

from camera_registry.model.camera import Camera
from camera_registry.model.imports import (
    Batch,
    Finding,
    ImportNotFound,
    Outcome,
    Row,
    Standing,
)
from camera_registry.model.status import CameraStatus
from camera_registry.storage import record
from camera_registry.storage.cameras import is_about_serial
from camera_registry.storage.columns import AS_TEXT, COLUMNS, array, columns_of, texts
from camera_registry.storage.tables import (
    camera_of,
    cameras,
    cell_of,
    decided_fields,
    import_batches,
    versions,
)


async def plan_anew(tx: Tx) -> None:
    """Have PostgreSQL plan each statement of the transaction anew, and reuse no plan.

    A reused plan may have been made for a much smaller register: an import that began with an empty
    register would later read the whole register for every row.
    """
    await tx.execute(_PLAN_ANEW)


async def known_cameras(tx: Tx, rows: Sequence[Row]) -> list[Camera]:
    """Lock the cameras with the id or serial number of a row, and return them in order of id.

    Retired cameras are found only by id. Rows with errors are ignored.
    """
    serials = [row.description.serial_key for row in rows if not row.errors]
    given = {
        "serials": texts([serial for serial, _ in serials]),
        "makes": texts([make for _, make in serials]),
    }
    ids = {row.camera_id for row in rows if row.camera_id and not row.errors}
    ids |= {row.camera_id for row in await tx.execute(_WITH_SERIALS, given)}
    found = await tx.execute(_WITH_IDS, {"ids": sorted(ids)})
    return await record.completed(tx, [camera_of(row) for row in found])


async def add_cameras(tx: Tx, added: Collection[Camera], audit_entry: UUID) -> set[UUID]:
    """Add newly registered cameras. Their rows name the audit entry of the batch.

    Returns the ids of the cameras that were added. A camera is not added if its id or serial number
    is taken, even by a camera that the transaction cannot see.
    """
    # In one order everywhere, so that two imports at once cannot wait for each other.
    new = sorted(added, key=lambda camera: camera.description.serial_key)
    if not new:
        return set()
    first = new[0]
    given = {"status": first.status.value, "now": first.registered_at, "version": first.version}
    rows = await tx.execute(_ADD, {**columns_of(new), **given, "entry": audit_entry})
    ids = {row.camera_id for row in rows}
    await record.add(tx, [camera for camera in new if camera.camera_id in ids])
    return ids


async def change_cameras(
    tx: Tx, changed: Mapping[int, Camera], audit_entry: UUID, *, held_from: datetime
) -> list[int]:
    """Store changed cameras, whose rows must be locked. Their rows name the audit entry of the
    batch.

    `changed` maps row numbers in the batch to cameras. The new descriptions take effect at
    `held_from`; the previous ones are kept as versions. Returns the row numbers of the cameras that
    were not stored, because another camera has their serial number.
    """
    if await _change(tx, list(changed.values()), audit_entry, held_from=held_from):
        return []
    # One of them has another's number: each by itself.
    return [
        row
        for row, camera in changed.items()
        if not await _change(tx, [camera], audit_entry, held_from=held_from)
    ]


async def _change(
    tx: Tx, changed: Sequence[Camera], audit_entry: UUID, *, held_from: datetime
) -> bool:
    """Store all of these cameras. If a serial number is taken, store none of them and return
    False."""
    if not changed:
        return True
    try:
        async with tx.savepoint():
            given = {
                "versions": [camera.version for camera in changed],
                "entry": audit_entry,
                "status": CameraStatus.UNKNOWN.value,
                "now": held_from,
            }
            await tx.execute(_CHANGE, {**columns_of(changed), **given})
            await record.save(tx, changed)
    except IntegrityError as error:
        if not is_about_serial(error):
            raise
        return False
    return True


def decided_rows(
    added: Iterable[Camera], changed: Iterable[Camera], *, held_from: datetime
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for each stored camera of a batch, its `object_ref` and the fields that the audit
    entry covers.

    The description of an added camera takes effect when the camera is registered. The description
    of a changed camera takes effect at `held_from`.
    """
    for camera in added:
        yield camera.object_ref, decided_fields(camera, held_from=camera.registered_at)
    for camera in changed:
        yield camera.object_ref, decided_fields(camera, held_from=held_from)


async def at_the_same_place(tx: Tx, written: Mapping[int, Camera]) -> dict[int, UUID]:
    """Return, by row number, the id of another camera at the place of the row's camera.

    `written` maps row numbers to cameras. The other camera must be in service, of the same kind,
    and have equal coordinates. Rows without such a camera are left out.
    """
    described = {number: each.description for number, each in written.items()}
    values = {
        "numbers": list(described),
        "ids": [each.camera_id for each in written.values()],
        "kinds": texts([each.kind.value for each in described.values()]),
        "cells": [cell_of(*each.place.point) for each in described.values()],
        "latitudes": [each.place.latitude for each in described.values()],
        "longitudes": [each.place.longitude for each in described.values()],
    }
    found = await tx.execute(_AT_THE_SAME_PLACE, values)
    return {row.number: row.camera_id for row in found}


async def find_outcome(tx: Tx, import_id: UUID, number: int) -> Outcome | None:
    """Return the outcome of a batch of the caller's import, None if it was not imported."""
    query = select(import_batches).where(
        import_batches.c.import_id == import_id, import_batches.c.number == number
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    findings = (tuple(Finding(**each) for each in kept) for kept in (row.refused, row.duplicates))
    return Outcome(row.number, row.last_row, row.added, row.changed, row.unchanged, *findings)


async def add_outcome(tx: Tx, batch: Batch, outcome: Outcome, now: datetime) -> None:
    await tx.execute(
        insert(import_batches).values(
            caller=tx.scope.actor,
            import_id=batch.import_id,
            number=batch.number,
            last_row=outcome.last_row,
            rows_sha256=batch.sha256,
            added=outcome.added,
            changed=outcome.changed,
            unchanged=outcome.unchanged,
            refused_rows=len({finding.row for finding in outcome.refused}),
            refused=[asdict(finding) for finding in outcome.refused],
            duplicates=[asdict(finding) for finding in outcome.probable_duplicates],
            imported_at=now,
        )
    )


async def last_number(tx: Tx, import_id: UUID) -> int:
    """Return the number of the last batch of the caller's import, 0 if there is none."""
    query = select(func.coalesce(func.max(import_batches.c.number), 0))
    found: int = await tx.scalar(query.where(import_batches.c.import_id == import_id))
    return found


async def standing(tx: Tx, import_id: UUID) -> Standing:
    """Return the totals of the caller's import so far. Raises ImportNotFound."""
    names = ("added", "changed", "unchanged", "refused_rows")
    query = select(
        func.max(import_batches.c.number).label("last_number"),
        func.max(import_batches.c.last_row).label("last_row"),
        *(func.sum(import_batches.c[name]).label(name) for name in names),
    ).where(import_batches.c.import_id == import_id)
    row = (await tx.execute(query)).one()
    if row.last_number is None:
        raise ImportNotFound
    return Standing(row.last_number, row.last_row, *(int(getattr(row, name)) for name in names))


def _names(columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in columns)


_GIVEN = (
    "(SELECT * FROM unnest("
    + ", ".join(array(name, kind) for name, kind in COLUMNS.items())
    + f") AS given({_names(COLUMNS)})) AS given"
)
_ids = bindparam("ids", type_=ARRAY(cameras.c.camera_id.type))
# Each row of a batch is sought by itself, in the index: for all of them together PostgreSQL would
# rather read the whole register, so OFFSET keeps it from joining them.
_WITH_SERIALS = text(
    "SELECT found.camera_id"
    f" FROM unnest({array('serials', 'text')}, {array('makes', 'text')}) AS given(serial, make)"
    " CROSS JOIN LATERAL (SELECT camera_id FROM cameras WHERE serial_folded = given.serial"
    " AND make_folded = given.make AND retired_at IS NULL OFFSET 0) AS found"
)
_WITH_IDS = (
    select(cameras)
    .where(cameras.c.camera_id == func.any(_ids))
    .order_by(cameras.c.camera_id)
    # Not their keys: rows of `camera_functions` refer to these.
    .with_for_update(key_share=True)
)
_PLAN_ANEW = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
_VALUES = ", ".join(
    f"CAST(given.{name} AS {AS_TEXT[name]})" if name in AS_TEXT else f"given.{name}"
    for name in COLUMNS
)
_ADD = text(
    f"INSERT INTO cameras ({_names(COLUMNS)}, status, status_as_of, version, held_from,"
    f" registered_at, audit_entry) SELECT {_VALUES}, CAST(:status AS text),"
    " CAST(:now AS timestamptz), CAST(:version AS bigint), CAST(:now AS timestamptz),"
    f" CAST(:now AS timestamptz), CAST(:entry AS uuid) FROM {_GIVEN}"
    " ON CONFLICT DO NOTHING RETURNING camera_id"
)
_KEPT = [column.name for column in versions.columns]
# The status is the hub's to change, until the camera gets another one.
_ANOTHER_HUB = ", ".join(
    f"{name} = CASE WHEN given.hub_id IS DISTINCT FROM cameras.hub_id"
    f" THEN {value} ELSE cameras.{name} END"
    for name, value in (
        ("status", "CAST(:status AS text)"),
        ("status_as_of", "CAST(:now AS timestamptz)"),
        ("status_source", "'REGISTER'"),
        ("status_reason", "''"),
        ("status_version", "cameras.status_version + 1"),
        ("clock_offset_milliseconds", "0"),
    )
)
# Both parts of the statement see the cameras as they were before it.
_CHANGE = text(
    f"WITH superseded AS (INSERT INTO camera_versions ({_names(_KEPT)})"
    f" SELECT {_names(_KEPT)} FROM cameras"
    " WHERE camera_id = ANY(CAST(:camera_id AS uuid[])))"
    f" UPDATE cameras SET ({_names(COLUMNS)}, version, held_from, audit_entry, audit_hash)"
    f" = ROW({_VALUES}, counted.version, CAST(:now AS timestamptz), CAST(:entry AS uuid), NULL),"
    f" {_ANOTHER_HUB} FROM {_GIVEN} JOIN unnest(CAST(:camera_id AS uuid[]),"
    " CAST(:versions AS bigint[])) AS counted(camera_id, version) USING (camera_id)"
    " WHERE cameras.camera_id = given.camera_id"
)
# By the cell alone, and each cell once: before a table's first ANALYZE PostgreSQL takes any index
# that has any of the columns, such as the one by kind. MATERIALIZED keeps it from joining the rows
# of the batch anew for each cell.
_AT_THE_SAME_PLACE = text(
    "WITH near AS MATERIALIZED (SELECT found.*"
    " FROM (SELECT DISTINCT cell FROM unnest(CAST(:cells AS bigint[])) AS cell) AS wanted"
    " CROSS JOIN LATERAL (SELECT camera_id, kind, latitude, longitude, retired_at FROM cameras"
    " WHERE cameras.cell = wanted.cell OFFSET 0) AS found)"
    " SELECT DISTINCT ON (given.number) given.number, near.camera_id FROM near"
    f" JOIN unnest(CAST(:numbers AS bigint[]), CAST(:ids AS uuid[]), {array('kinds', 'text')},"
    " CAST(:latitudes AS float8[]), CAST(:longitudes AS float8[]))"
    " AS given(number, camera_id, kind, latitude, longitude)"
    " ON (given.latitude, given.longitude, given.kind) = (near.latitude, near.longitude, near.kind)"
    " WHERE near.camera_id <> given.camera_id AND near.retired_at IS NULL"
    " ORDER BY given.number, near.camera_id"
)
