"""Converts evidence, its damage and the state of the evidence check to protobuf messages.

Evidence becomes a stream of messages; the first one also has the content type, size and hashes.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

from chassis.clock import to_timestamp
from tartip.inference.v1 import inference_pb2

from inference_gateway.evidence.damage.events import damage_to_proto
from inference_gateway.evidence.model import DamagedEvidence, Round
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


def damaged_to_proto(one: DamagedEvidence) -> inference_pb2.DamagedEvidence:
    return inference_pb2.DamagedEvidence(
        damage_id=str(one.damage_id),
        sha256=one.sha256,
        region=one.region,
        damage=damage_to_proto(one.damage),
        found_at=to_timestamp(one.found_at),
        object_path=one.object_path,
    )


def check_to_proto(now: Round) -> inference_pb2.EvidenceCheck:
    return inference_pb2.EvidenceCheck(
        round_began_at=to_timestamp(now.began_at),
        read_share=now.read_share,
        objects=now.objects,
        last_round_ended_at=to_timestamp(now.ended_at) if now.ended_at else None,
    )
