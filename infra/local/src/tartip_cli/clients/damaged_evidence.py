"""Asks the inference gateway which stored evidence is damaged, and how much of the evidence it has
checked so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tartip_cli.topology import INFERENCE_GATEWAY

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2

    from tartip_cli.clients.partner import Outside

_SECONDS = 60.0
_PAGE = 50


@dataclass(frozen=True)
class Damaged:
    """A stored object of evidence that is damaged. Its fields are the SHA-256 (hex) that the
    content should have, the kind of damage, the path in the evidence store, and when the damage was
    found (RFC 3339)."""

    sha256: str
    damage: str
    object_path: str
    found_at: str


@dataclass
class EvidenceFinding:
    """The state of the gateway's check of all evidence, which runs in rounds. The field
    `read_share` is the part of the evidence (0 to 1) that the current round has read. The field
    `last_round_ended_at` is in RFC 3339, or "" if no round has ended yet. The field `wrong` is the
    gateway's refusal, or "" if it answered."""

    damaged: list[Damaged] = field(default_factory=list)
    read_share: float = 0.0
    last_round_ended_at: str = ""
    wrong: str = ""

    @property
    def fits(self) -> bool:
        return not self.damaged and not self.wrong


async def find_damaged(mesh: Outside) -> EvidenceFinding:
    """Have the gateway read again all evidence that it knows to be damaged. Returns the objects
    that are still damaged, and the state of the gateway's check. A refusal is not raised, but
    returned in `wrong`."""
    from chassis.channels import peers_refusals
    from chassis.refusals import Refusal
    from tartip.common.v1 import common_pb2 as common
    from tartip.inference.v1 import inference_pb2, inference_pb2_grpc

    stub = inference_pb2_grpc.InferenceStub(mesh.as_command_line(INFERENCE_GATEWAY))
    finding, token = EvidenceFinding(), ""
    while True:
        request = inference_pb2.ListDamagedEvidenceRequest(
            page=common.Page(size=_PAGE, token=token), look_again=True
        )
        try:
            with peers_refusals():
                answer = await stub.ListDamagedEvidence(request, timeout=_SECONDS)
        except Refusal as refusal:
            finding.wrong = f"{refusal.reason}: {refusal.message.en}"
            return finding
        finding.damaged += [_damaged(one) for one in answer.damaged]
        finding.read_share = answer.check.read_share
        if answer.check.HasField("last_round_ended_at"):
            finding.last_round_ended_at = answer.check.last_round_ended_at.ToJsonString()
        token = answer.next_page_token
        if not token:
            return finding


def _damaged(one: inference_pb2.DamagedEvidence) -> Damaged:
    from tartip.inference.v1 import inference_pb2

    damage = inference_pb2.EvidenceDamage.Name(one.damage).removeprefix("EVIDENCE_DAMAGE_").lower()
    return Damaged(one.sha256, damage, one.object_path, one.found_at.ToJsonString())
