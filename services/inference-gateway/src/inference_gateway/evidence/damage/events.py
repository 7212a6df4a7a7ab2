"""Builds the event that stored evidence was found damaged, as protobuf."""

from datetime import datetime
from uuid import UUID

from chassis.clock import to_timestamp
from chassis.event import Event
from tartip.inference.v1 import events_pb2, inference_pb2

from inference_gateway.evidence.model import Damage


def evidence_damaged(damage_id: UUID, region: str, damage: Damage, found_at: datetime) -> Event:
    """Return the event that stored evidence was found damaged. The event does not name the
    evidence. Nor does it name the report, because the report may be a confidential complaint."""
    message = events_pb2.EvidenceDamaged(
        damage_id=str(damage_id),
        region=region,
        damage=damage_to_proto(damage),
        found_at=to_timestamp(found_at),
    )
    return Event("inference.v1.evidence_damaged", f"damage:{damage_id}", 1, region, message)


def damage_to_proto(damage: Damage) -> "inference_pb2.EvidenceDamage.ValueType":
    return inference_pb2.EvidenceDamage.Value(f"EVIDENCE_DAMAGE_{damage.name}")
