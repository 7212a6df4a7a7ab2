"""Splits the content of a piece of evidence into a stream of protobuf messages. The first message
also has the content type, size and hashes."""

from collections.abc import Iterator
from typing import Any, TypeVar

from inference_gateway.evidence.usecases import ShownEvidence

PIECE_BYTES = 512 * 1024
M = TypeVar("M", bound=Any)


def in_pieces(shown: ShownEvidence, message: type[M]) -> Iterator[M]:
    """Yield the evidence as messages of the protobuf class `message`, each with at most 512 KiB of
    content. The first message also has the content type, size and hashes."""
    for start in range(0, len(shown.content), PIECE_BYTES):
        content = shown.content[start : start + PIECE_BYTES]
        if start:
            yield message(content=content)
        else:
            yield message(
                content=content,
                content_type=shown.content_type,
                sha256=shown.sha256,
                original_sha256=shown.original_sha256,
                size_bytes=len(shown.content),
            )
