"""Idempotent requests: a caller may repeat a request id only with the same content."""

import hashlib
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from statements.writes import RequestId

from chassis.refusals import IdReused
from chassis.tables import requests

# Made once: building a statement costs as much as its round trip.
_USE = insert(requests).on_conflict_do_nothing()
_USED = select(requests.c.fingerprint).where(
    requests.c.caller == bindparam("caller"), requests.c.request_id == bindparam("request_id")
)


async def is_first_use(
    connection: AsyncConnection, caller: str, request_id: UUID, content: bytes
) -> bool:
    """Store a request id of a caller (`Caller.key`); return whether it is new. Raises IdReused if
    the caller used the id before with other content."""
    request = request_id_of(caller, request_id, content)
    added = await connection.execute(_USE, vars(request))
    if added.rowcount:
        return True
    await require_same_content(connection, request)
    return False


async def require_same_content(connection: AsyncConnection, request: RequestId) -> None:
    """Raise IdReused if the id of `request`, which must be stored, was stored with other
    content."""
    known = (await connection.execute(_USED, vars(request))).scalar_one()
    if bytes(known) != request.fingerprint:
        raise IdReused


def request_id_of(caller: str, request_id: UUID, content: bytes) -> RequestId:
    """Build a `RequestId`: the caller's key, the request id and the SHA-256 of the content."""
    return RequestId(caller, request_id, hashlib.sha256(content).digest())
