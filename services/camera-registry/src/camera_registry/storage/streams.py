"""Stores the streams of cameras. Passwords are encrypted with a key of the camera's own, which is
destroyed when the camera is retired."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from host.key_destruction import schedule_discarding
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from statements.reads import Read
from vault.keyring import DataKey

from camera_registry.keyed import STREAMS
from camera_registry.model.streams import CameraStream, StreamRole
from camera_registry.storage.tables import cameras

camera_streams = Table(
    "camera_streams",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Integer),
    Column("url", Text),
    Column("role", Text),
    Column("username", Text),
    # Null without a password.
    Column("key_id", Uuid),
    Column("password_index", LargeBinary),
    Column("password_sealed", LargeBinary),
)
Streams = tuple[CameraStream, ...]


def streams_as_json() -> ColumnElement[Any]:
    """Return the subquery that selects the streams of a row of `cameras` as JSON, or NULL if there
    are none. `read_json` converts the result."""
    index = func.encode(camera_streams.c.password_index, "hex")
    pairs = [
        *("name", camera_streams.c.name),
        *("url", camera_streams.c.url),
        *("role", camera_streams.c.role),
        *("user", camera_streams.c.username),
        *("password_index", func.coalesce(index, "")),
        *("position", camera_streams.c.position),
    ]
    query = select(func.json_agg(func.json_build_object(*pairs), type_=JSON))
    return query.where(camera_streams.c.camera_id == cameras.c.camera_id).scalar_subquery()


def read_json(rows: list[dict[str, Any]]) -> Streams:
    """Convert the value that `streams_as_json` selected to streams."""
    rows = sorted(rows, key=lambda row: int(row["position"]))
    return tuple(
        CameraStream(
            row["name"],
            row["url"],
            StreamRole(row["role"]),
            row["user"],
            password_index=bytes.fromhex(row["password_index"]),
        )
        for row in rows
    )


async def streams_of(tx: Tx, camera_ids: Iterable[UUID]) -> dict[UUID, Streams]:
    """Return the streams of cameras by camera id, without their passwords.

    Cameras without streams are left out.
    """
    found: dict[UUID, Streams] = {}
    for row in await tx.read(_OF_CAMERAS, camera_ids=list(camera_ids)):
        index = bytes(row.password_index or b"")
        role = StreamRole(row.role)
        stream = CameraStream(row.name, row.url, role, row.username, password_index=index)
        found[row.camera_id] = (*found.get(row.camera_id, ()), stream)
    return found


async def save(tx: Tx, given: Mapping[UUID, Streams]) -> None:
    """Replace the stored streams of cameras that are already in the table `cameras`.

    `given` maps the id of a camera to its streams. If a stream has no password but the hash of the
    stored password, the stored password is kept.
    """
    known = await tx.read(_OF_CAMERAS, camera_ids=list(given))
    names = {(camera_id, stream.name) for camera_id, each in given.items() for stream in each}
    gone = [pair for row in known if (pair := (row.camera_id, row.name)) not in names]
    if gone:
        place = tuple_(camera_streams.c.camera_id, camera_streams.c.name)
        await tx.execute(delete(camera_streams).where(place.in_(gone)))
    await _put(tx, given, {row.camera_id: row.key_id for row in known if row.key_id})


async def add(tx: Tx, given: Mapping[UUID, Streams]) -> None:
    """Store the streams of new cameras; `given` maps the id of a camera to its streams."""
    await _put(tx, given, {})


async def erase_passwords(tx: Tx, camera_id: UUID) -> None:
    """Delete the passwords of a camera's streams and schedule the destruction of the key that they
    are encrypted with."""
    of_camera = camera_streams.c.camera_id == camera_id
    key_ids = select(camera_streams.c.key_id).where(of_camera, camera_streams.c.key_id.is_not(None))
    found = set((await tx.execute(key_ids)).scalars())
    if not found:
        return
    nothing = dict.fromkeys(("key_id", "password_index", "password_sealed"))
    await tx.execute(update(camera_streams).where(of_camera).values(nothing))
    for key_id in found:
        # In a database that is restored to a moment before, the camera is in use and needs them.
        await schedule_discarding(tx, key_id)


async def _put(tx: Tx, given: Mapping[UUID, Streams], key_ids: Mapping[UUID, UUID]) -> None:
    """`key_ids` are the keys that cameras have already."""
    rows = []
    for camera_id, streams in given.items():
        has_password = any(stream.password for stream in streams)
        key = await _key(tx, key_ids.get(camera_id)) if has_password else None
        for position, stream in enumerate(streams):
            rows.append(_row(camera_id, position, stream, key))
    if rows:
        await tx.execute(_PUT, rows)


async def _key(tx: Tx, key_id: UUID | None) -> DataKey:
    return await (tx.keys.get(STREAMS, key_id) if key_id else tx.keys.new(STREAMS))


def _row(
    camera_id: UUID, position: int, stream: CameraStream, key: DataKey | None
) -> dict[str, Any]:
    assert stream.role is not None
    place = f"camera_streams.password_sealed:{camera_id}/{stream.name}"
    sealed = key.seal(stream.password, place) if key and stream.password else None
    return {
        "camera_id": camera_id,
        "name": stream.name,
        "position": position,
        "url": stream.url,
        "role": stream.role.value,
        "username": stream.user,
        "key_id": key.key_id if key and sealed else None,
        "password_index": stream.password_index if sealed else None,
        "password_sealed": sealed,
        "keeps_password": bool(stream.password_index) and not sealed,
    }


_IDS = bindparam("camera_ids", type_=ARRAY(Uuid))
_OF_CAMERAS = Read(
    select(camera_streams)
    .where(camera_streams.c.camera_id == func.any(_IDS))
    .order_by(camera_streams.c.camera_id, camera_streams.c.position)
)
_new = insert(camera_streams)
_KEEPS_PASSWORD = bindparam("keeps_password", type_=Boolean)
_SECRET = ("key_id", "password_index", "password_sealed")
_PUT = _new.on_conflict_do_update(
    index_elements=["camera_id", "name"],
    set_={name: _new.excluded[name] for name in ("position", "url", "role", "username")}
    | {
        name: case((_KEEPS_PASSWORD, camera_streams.c[name]), else_=_new.excluded[name])
        for name in _SECRET
    },
)
