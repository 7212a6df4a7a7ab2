"""Checks a restored database. The entries, roots and signatures of its audit logs must be valid.
The ledger of fines must have the entries, sums and balances that it had when the backup was
made."""

from __future__ import annotations

from typing import Any

from audit_log import merkle
from audit_log.heads import head_text
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tartip_cli.backup.manifest import Head, Manifest
from tartip_cli.backup.snapshot import connected, heads_of, ledger_of
from tartip_cli.topology import FINES, Service, service_named

_PAGE = 10_000
# Of the payments, those whose ledger entry is missing or of another amount.
_UNPOSTED = (
    f"SELECT count(*) FROM {FINES.schema}.payments AS payment"
    f" LEFT JOIN {FINES.schema}.entries AS entry USING (entry_id)"
    " WHERE entry.amount_minor IS DISTINCT FROM payment.amount_minor"
)


async def differences(url: str, manifest: Manifest) -> list[str]:
    """Return the differences between a restored database and the manifest of its backup, as lines
    of text. A difference is a faulty audit log, a changed ledger, or a payment without a ledger
    entry. Raises Failure if the database does not answer."""
    connection = await connected(url)
    try:
        found = [
            f"{name}: {wrong}"
            for name, head in manifest.heads.items()
            for wrong in await _log_differences(connection, service_named(name), head)
        ]
        if await heads_of(connection) != manifest.heads:
            found.append("the heads of the audit logs are not those of the backup")
        if await ledger_of(connection) != manifest.ledger:
            found.append("the ledger is not that of the backup")
        if manifest.ledger.payments and (unposted := await connection.fetchval(_UNPOSTED)):
            found.append(f"{unposted} payments have no ledger entry of their amount")
        return found
    finally:
        await connection.close(timeout=5)


async def _log_differences(connection: Any, service: Service, head: Head) -> list[str]:
    frontier, size = list[bytes](), 0
    async with connection.transaction():
        async for row in connection.cursor(
            f"SELECT leaf_index, canonical FROM {service.schema}.audit_leaves"
            f" JOIN {service.schema}.audit USING (entry_id) ORDER BY leaf_index",
            prefetch=_PAGE,
        ):
            if row["leaf_index"] != size:
                return [f"entry {size} of its audit log is missing"]
            frontier, _ = merkle.append(frontier, size, merkle.leaf_hash(row["canonical"]))
            size += 1
    root = merkle.root_of(frontier).hex()
    if (size, root) != (head.tree_size, head.root):
        return ["the entries of its audit log do not give the root that was signed"]
    return [] if await _is_signed(connection, service) else ["its head's signature is wrong"]


async def _is_signed(connection: Any, service: Service) -> bool:
    head = await connection.fetchrow(
        "SELECT tree_size, root, sealed_at, signature, public_key"
        f" FROM {service.schema}.audit_heads ORDER BY tree_size DESC LIMIT 1"
    )
    text = head_text(service.name, head["tree_size"], head["root"], head["sealed_at"])
    try:
        Ed25519PublicKey.from_public_bytes(head["public_key"]).verify(head["signature"], text)
    except InvalidSignature:
        return False
    return True
