"""Stores camera owners who are persons.

A person's IIN (identification number) is stored encrypted, with its blind index (a keyed hash).
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from chassis.tables import data_keys
from chassis.transaction import Tx
from sqlalchemy import Column, LargeBinary, MetaData, Table, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from statements.reads import Read

from camera_registry.keyed import PERSON
from camera_registry.model.description import Description

camera_owners = Table(
    "camera_owners",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("owner_index", LargeBinary),
    Column("key_id", Uuid),
    Column("iin_sealed", LargeBinary),
)


async def indexes_of(tx: Tx, camera_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the blind indexes of the IINs of owners who are persons, by camera id."""
    rows = await tx.read(_INDEXES, camera_ids=list(camera_ids))
    return {row.camera_id: bytes(row.owner_index) for row in rows}


async def open_iin(tx: Tx, camera_id: UUID) -> tuple[str, bytes]:
    """Return the decrypted IIN of a camera's owner, and the blind index of this IIN.

    Both are empty if the owner is not a person, if the owner is hidden from the transaction's
    scope, or if the person's key was destroyed.
    """
    for row in await tx.read(_SEALED, camera_id=camera_id):
        if key := tx.keys.unwrapped(PERSON, row.key_id, row.wrapped):
            iin = key.open_text(row.iin_sealed, _place(camera_id))
            return iin, bytes(row.owner_index)
    return "", b""


async def save(tx: Tx, described: Mapping[UUID, Description]) -> None:
    """Store the owners who are persons. Their cameras must already be in the table `cameras`.

    If a description has a BIN, the stored owner is deleted. If it has neither a BIN nor an IIN, the
    stored owner is kept. Raises KeyError if a person's key was destroyed.
    """
    firms = [camera_id for camera_id, each in described.items() if each.owner_bin]
    if firms:
        await tx.execute(
            delete(camera_owners).where(camera_owners.c.camera_id == func.any(_IDS)),
            {"camera_ids": firms},
        )
    await add(tx, described)


async def add(tx: Tx, described: Mapping[UUID, Description]) -> None:
    """Store the owners of new cameras who are persons.

    Raises KeyError if a person's key was destroyed.
    """
    persons = {camera_id: each for camera_id, each in described.items() if each.owner_iin}
    if not persons:
        return
    # In one order everywhere, so that two transactions cannot wait for each other's new keys.
    iins = sorted({each.owner_iin for each in persons.values()})
    keys = {iin: await tx.keys.of_person(PERSON, iin) for iin in iins}
    rows = [
        {
            "camera_id": camera_id,
            "owner_index": each.owner_index,
            "key_id": keys[each.owner_iin].key_id,
            "iin_sealed": keys[each.owner_iin].seal(each.owner_iin, _place(camera_id)),
        }
        for camera_id, each in persons.items()
    ]
    await tx.execute(_PUT, rows)


def _place(camera_id: UUID) -> str:
    return f"camera_owners.iin_sealed:{camera_id}"


_IDS = bindparam("camera_ids", type_=ARRAY(Uuid))
_INDEXES = Read(
    select(camera_owners.c.camera_id, camera_owners.c.owner_index).where(
        camera_owners.c.camera_id == func.any(_IDS)
    )
)
_SEALED = Read(
    select(camera_owners, data_keys.c.wrapped)
    .join_from(camera_owners, data_keys, data_keys.c.key_id == camera_owners.c.key_id)
    .where(camera_owners.c.camera_id == bindparam("camera_id"))
)
_new = insert(camera_owners)
_PUT = _new.on_conflict_do_update(
    index_elements=["camera_id"],
    set_={name: _new.excluded[name] for name in ("owner_index", "key_id", "iin_sealed")},
)
