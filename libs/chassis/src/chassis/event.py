"""An event to publish, and its row in the outbox."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from vault.keyring import Keyring

from chassis.clock import new_id
from chassis.telemetry import SpanKind, current_story, span, traceparent

OUTBOX_KEY = "outbox"


@dataclass(frozen=True)
class Event:
    """An event to publish: `subject` says what happened, in the past tense.

    `aggregate` names the entity concerned, and `version` is the entity's version. `story` is the
    correlation id of the event's case; if it is "", the id of the current call is used.
    """

    subject: str
    aggregate: str
    version: int
    region: str
    message: Message
    story: str = ""
    # Set for a fact that holds personal data: its row is sealed until the relay sends it.
    sealed: bool = False
    event_id: UUID = field(default_factory=new_id)


def outbox_row(fact: Event, keyring: Keyring) -> dict[str, Any]:
    """The row of `tables.outbox` for an event, as values by column.

    It carries the trace context; the payload is encrypted if the event is `sealed`.
    """
    story = fact.story or current_story()
    with span(
        f"publish {fact.subject}",
        kind=SpanKind.PRODUCER,
        story=story,
        attributes={
            "messaging.system": "nats",
            "messaging.destination.name": fact.subject,
            "tartip.event": str(fact.event_id),
        },
    ):
        parent = traceparent()
    return {
        "event_id": fact.event_id,
        "subject": fact.subject,
        "aggregate": fact.aggregate,
        "version": fact.version,
        "region": fact.region,
        "story": story,
        "traceparent": parent,
        "sealed": fact.sealed,
        "payload": _payload(fact, keyring),
        "audit_entries": "",
    }


def open_payload(sealed: bytes, event_id: UUID, keyring: Keyring) -> bytes:
    """Decrypt the payload of a `sealed` outbox row. Raises InvalidTag if it is not authentic."""
    return keyring.own_key(OUTBOX_KEY).open(sealed, _place(event_id))


def _payload(fact: Event, keyring: Keyring) -> bytes:
    content = fact.message.SerializeToString()
    if not fact.sealed:
        return content
    return keyring.own_key(OUTBOX_KEY).seal(content, _place(fact.event_id))


def _place(event_id: UUID) -> str:
    return f"outbox.payload:{event_id}"
