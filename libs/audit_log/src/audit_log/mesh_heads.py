"""One root over the heads of all services, and what is signed of it by the mesh and by witnesses;
pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from tartip.audit.v1 import audit_pb2

from audit_log import merkle
from audit_log.heads import SignedHead


def mesh_root(heads: Iterable[audit_pb2.Head]) -> bytes:
    """The root of the Merkle tree over what the heads' signatures cover, by service name."""
    signed = sorted(map(SignedHead.from_message, heads), key=lambda head: head.service)
    return merkle.root(merkle.leaf_hash(head.text) for head in signed)


def mesh_text(root: bytes, signed_at: datetime) -> bytes:
    """The bytes that the mesh signs."""
    return f"tartip-mesh-v1\n{root.hex()}\n{_moment(signed_at)}".encode()


def witness_text(witness: str, root: bytes, signed_at: datetime) -> bytes:
    """The bytes that a witness signs; `signed_at` is when the mesh signed the root."""
    return f"tartip-witness-v1\n{witness}\n{root.hex()}\n{_moment(signed_at)}".encode()


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
