"""Idempotent requests: an id made by the caller is used once, or again with the same content."""

import hashlib
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

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
    """Store a request id; return whether it is new. Raises IdReused if the content differs."""
    fingerprint = hashlib.sha256(content).digest()
    use = {"caller": caller, "request_id": request_id}
    added = await connection.execute(_USE, {**use, "fingerprint": fingerprint})
    if added.rowcount:
        return True
    known = (await connection.execute(_USED, use)).scalar_one()
    if bytes(known) != fingerprint:
        raise IdReused
    return False
