"""Signed heads of audit logs, without any access to databases or networks.

A head is the signed root of a log's Merkle tree at some size. Whoever keeps heads outside the mesh
can show later that a log was rewritten, even if the new log was signed with the service's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chassis.clock import from_timestamp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_log import merkle

if TYPE_CHECKING:
    from tartip.audit.v1 import audit_pb2


def head_text(service: str, tree_size: int, root: bytes, sealed_at: datetime) -> bytes:
    """Return the bytes that a service signs in a head of its log."""
    moment = sealed_at.astimezone(UTC).isoformat()
    return f"tartip-audit-v1\n{service}\n{tree_size}\n{root.hex()}\n{moment}".encode()


@dataclass(frozen=True)
class SignedHead:
    """A head of a service's log, with its Ed25519 signature and the public key for it."""

    service: str
    tree_size: int
    root: bytes
    sealed_at: datetime
    signature: bytes
    public_key: bytes

    @property
    def text(self) -> bytes:
        """The bytes that the head's signature covers."""
        return head_text(self.service, self.tree_size, self.root, self.sealed_at)

    @property
    def is_signed(self) -> bool:
        """Whether the head's signature is valid under the head's own public key."""
        return is_signed(self.text, self.signature, self.public_key)

    def as_line(self) -> str:
        """The head as one line of JSON, without a line feed."""
        content = {
            "service": self.service,
            "tree_size": self.tree_size,
            "root": self.root.hex(),
            "sealed_at": self.sealed_at.astimezone(UTC).isoformat(),
            "signature": self.signature.hex(),
            "public_key": self.public_key.hex(),
        }
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_message(cls, head: audit_pb2.Head) -> SignedHead:
        """Convert a head from its protobuf message."""
        return cls(
            head.service,
            head.tree_size,
            head.root,
            from_timestamp(head.sealed_at),
            head.signature,
            head.public_key,
        )

    @classmethod
    def from_line(cls, line: str) -> SignedHead:
        """Read a head from a line that `as_line` wrote; unknown fields are ignored.

        Raises ValueError if the line is not a head.
        """
        try:
            content = json.loads(line)
            return cls(
                content["service"],
                int(content["tree_size"]),
                bytes.fromhex(content["root"]),
                datetime.fromisoformat(content["sealed_at"]),
                bytes.fromhex(content["signature"]),
                bytes.fromhex(content["public_key"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("not a line with a head") from error


def is_signed(text: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether `signature` is an Ed25519 signature of `text` under a public key of 32 bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def not_extended(kept: Iterable[SignedHead], leaves: Sequence[bytes]) -> Iterator[SignedHead]:
    """Yield the heads in `kept` that contradict the log, in order of tree size.

    `kept` are older heads; `leaves` are the leaf hashes that the log has now. A head of n leaves
    contradicts the log if the log has fewer than n leaves, or if the root over the first n leaves
    is not the head's root.
    """
    frontier: list[bytes] = []
    size = 0
    for head in sorted(kept, key=lambda head: head.tree_size):
        if head.tree_size > len(leaves):
            yield head
            continue
        while size < head.tree_size:
            frontier, _ = merkle.append(frontier, size, leaves[size])
            size += 1
        if merkle.root_of(frontier) != head.root:
            yield head
