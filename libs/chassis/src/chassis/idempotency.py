"""Idempotent requests: an id made by the caller is used once, or again with the same content."""

import hashlib
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.refusals import IdReused
from chassis.tables import requests


async def is_first_use(
    connection: AsyncConnection, caller: str, request_id: UUID, content: bytes
) -> bool:
    """Store a request id; return whether it is new. Raises IdReused if the content differs."""
    fingerprint = hashlib.sha256(content).digest()
    added = await connection.execute(
        insert(requests)
        .values(caller=caller, request_id=request_id, fingerprint=fingerprint)
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        return True
    known = await connection.execute(
        select(requests.c.fingerprint).where(
            requests.c.caller == caller, requests.c.request_id == request_id
        )
    )
    if bytes(known.scalar_one()) != fingerprint:
        raise IdReused
    return False
