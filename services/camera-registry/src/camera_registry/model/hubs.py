"""Hubs: the control centres and edge boxes that report on cameras, and what their reports say."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import numpy as np
from chassis.refusals import BadRequest, FieldError, Kind, Refusal
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from camera_registry.model.status import State

NAME_MAX = 200
KEY_BYTES = 32
ID_BYTES = 16
# So many cameras, with their conditions and clock offsets, fit into one message of the broker.
CAMERAS_MAX = 11_000
# The times in reports are the hubs' own: bounded both ways against the arrival.
AHEAD_MAX = timedelta(minutes=1)
# A larger step in a hub's numbers means that it began anew, and not that reports were lost.
GAP_MAX = 1440
CLOCK_OFFSET_MAX_MILLISECONDS = 2000
# Of the fields hub_id and connected of a camera's description.
EXPECTED_HUB = "a hub in service in the camera's region, or nothing"
EXPECTED_CONNECTED = "true, for the hub that reports on the camera is a control centre"
# What is put before the bytes of a report to be signed.
SIGNED = b"tartip.cameras.v1.HubReport\0"


class HubKind(StrEnum):
    """A control centre, or an edge box beside the cameras."""

    CONTROL_CENTRE = "CONTROL_CENTRE"
    EDGE_BOX = "EDGE_BOX"


class HubNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "HUB_NOT_FOUND"


def wrong_hub(kind: HubKind | None, *, connected: bool) -> FieldError | None:
    """Return the error, if any, in a camera's description that names a hub of this `kind`.

    `kind` is None if no such hub is in service in the camera's region. A control centre may be
    named only if the camera is `connected`.
    """
    if kind is None:
        return FieldError("description.hub_id", HubNotFound.code, EXPECTED_HUB)
    if kind is HubKind.CONTROL_CENTRE and not connected:
        return FieldError("description.connected", BadRequest.code, EXPECTED_CONNECTED)
    return None


class HubKeyTaken(Refusal):
    kind = Kind.EXISTS
    code = "HUB_KEY_TAKEN"


@dataclass(frozen=True)
class Incident:
    """A hub's silence: its start, when the incident was opened, and how many cameras it affects."""

    incident_id: UUID
    silent_since: datetime
    opened_at: datetime
    cameras: int
    # How often the hub has fallen silent in this incident.
    times: int


@dataclass(frozen=True)
class Hub:
    """A control centre or edge box that reports on its cameras. `public_key` verifies the
    signatures of its reports."""

    hub_id: UUID
    name: str
    region: str
    kind: HubKind
    public_key: bytes
    registered_at: datetime
    revoked_at: datetime | None = None
    heard_at: datetime | None = None
    incident: Incident | None = None


@dataclass(frozen=True)
class HubLife:
    """A hub with the number and time of its last report (0 and None before the first).

    The field `events` is the number of published events about the hub's cameras and its silence.
    """

    hub_id: UUID
    region: str
    public_key: bytes
    number: int
    heard_at: datetime | None
    is_silent: bool
    has_incident: bool
    events: int
    is_revoked: bool = False


class Outcome(StrEnum):
    """How a report, or a camera in it, was handled; a label of the metric `tartip.heartbeats`."""

    HEARD = "heard"
    # Cameras that the hub may not report on.
    FOREIGN = "foreign"
    UNKNOWN_HUB = "unknown_hub"
    FORGED = "forged"
    AHEAD = "ahead"
    BEHIND = "behind"
    REPEATED = "repeated"
    UNREADABLE = "unreadable"
    # As many as the hub's reports number that are missing, times its cameras.
    MISSED = "missed"
    # Messages that found no room.
    LOST = "lost"


@dataclass(frozen=True)
class Report:
    """A report of a hub: the ids of cameras (ID_BYTES bytes each), their states and their clock
    offsets.

    A clock offset is how many milliseconds the camera's clock is ahead. A report may have no
    offsets.
    """

    hub_id: UUID
    number: int
    sent_at: datetime
    camera_ids: NDArray[np.bytes_]
    states: NDArray[np.uint8]
    clock_offsets: NDArray[np.int64]


def is_key(public_key: bytes) -> bool:
    """Whether the bytes have the length of an Ed25519 public key."""
    return len(public_key) == KEY_BYTES


def is_signed(public_key: bytes, report: bytes, signature: bytes) -> bool:
    """Whether the hub with this Ed25519 key has signed the bytes of a report."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, SIGNED + report)
    except InvalidSignature:
        return False
    return True


def outcome_of_date(sent_at: datetime, arrived_at: datetime, silence: timedelta) -> Outcome:
    """Compare the time at which a report was sent, by the hub's clock, with its arrival.

    Returns AHEAD if the report was sent more than AHEAD_MAX after its arrival. Returns BEHIND if it
    was sent `silence` or more before its arrival. Otherwise returns HEARD.
    """
    if sent_at > arrived_at + AHEAD_MAX:
        return Outcome.AHEAD
    return Outcome.BEHIND if sent_at <= arrived_at - silence else Outcome.HEARD


def missed_between(last: int, number: int) -> int:
    """Return how many of a hub's reports are missing between the numbers `last` and `number`.

    This is 0 if `last` is 0 (no report yet), or if the hub has restarted its numbering. A hub has
    restarted if `number` is not above `last`, or if over GAP_MAX reports would be missing.
    """
    missing = number - last - 1
    return missing if last and 0 < missing <= GAP_MAX else 0


def states_of(conditions: bytes, offsets: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """Return the states of `count` cameras by the conditions and clock offsets in a report.

    `conditions` has a byte for each camera: the number of its CameraCondition (protobuf). If
    `conditions` is empty, all cameras are online. If `offsets` (milliseconds) is empty, all clocks
    are right. Raises ValueError if either has another length than `count`, or if a condition is
    unknown.
    """
    if len(conditions) not in (0, count) or len(offsets) not in (0, count):
        raise ValueError("a condition and an offset for each camera, or none")
    if conditions:
        given = np.frombuffer(conditions, np.uint8)
        if given.min() < 1 or given.max() >= len(_OF_CONDITION):
            raise ValueError("an unknown condition")
        states = _OF_CONDITION[given]
    else:
        states = np.full(count, State.ONLINE, np.uint8)
    if len(offsets):
        is_off = np.abs(offsets) > CLOCK_OFFSET_MAX_MILLISECONDS
        states[is_off & (states == State.ONLINE)] = State.CLOCK_OFF
    return states


# By the numbers of the contract's CameraCondition.
_OF_CONDITION = np.array(
    [State.UNHEARD, State.ONLINE, State.UNREACHABLE, State.TAMPERED, State.PICTURE_STALE], np.uint8
)
