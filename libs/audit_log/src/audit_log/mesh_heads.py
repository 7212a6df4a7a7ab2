"""Mesh heads, and the texts that the mesh and the witnesses sign.

A mesh head is one Merkle root over the newest heads of all services' audit logs. Witnesses are
partners who confirm mesh heads by signing them. All functions are pure.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from tartip.audit.v1 import audit_pb2

from audit_log import merkle
from audit_log.heads import SignedHead


def mesh_root(heads: Iterable[audit_pb2.Head]) -> bytes:
    """Return the root of the Merkle tree whose leaves are the signed texts of `heads`.

    The leaves are ordered by the name of the service.
    """
    signed = sorted(map(SignedHead.from_message, heads), key=lambda head: head.service)
    return merkle.root(merkle.leaf_hash(head.text) for head in signed)


def mesh_text(root: bytes, signed_at: datetime) -> bytes:
    """Return the bytes that the mesh signs in a mesh head with this root."""
    return f"tartip-mesh-v1\n{root.hex()}\n{_moment(signed_at)}".encode()


def witness_text(witness: str, root: bytes, signed_at: datetime) -> bytes:
    """Return the bytes that a witness signs to confirm a mesh head.

    `witness` is the witness's name; `signed_at` is when the mesh signed the root.
    """
    return f"tartip-witness-v1\n{witness}\n{root.hex()}\n{_moment(signed_at)}".encode()


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
