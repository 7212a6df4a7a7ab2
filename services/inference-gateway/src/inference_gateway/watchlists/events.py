"""Builds the events of watch-lists that are published. The event of a candidate (a face that
resembles a watch-list entry) does not name the entry."""

from audit_log.attempts import Attempt
from chassis.clock import to_timestamp
from chassis.event import Event
from tartip.inference.v1 import events_pb2

from inference_gateway.frames.events import OutboundEvent
from inference_gateway.frames.model import EmittedEvent
from inference_gateway.watchlists.model import Candidate

FACE_CANDIDATE = "inference.v1.face_candidate"
ACCESS_REFUSED = "inference.v1.access_refused"


def access_refused(attempt: Attempt) -> Event:
    """The event of a refused access. It names neither the requested record nor the caller."""
    message = events_pb2.AccessRefused(
        attempt_id=str(attempt.attempt_id),
        region=attempt.region,
        attempted_at=to_timestamp(attempt.attempted_at),
    )
    aggregate = f"attempt:{attempt.attempt_id}"
    return Event(ACCESS_REFUSED, aggregate, 1, attempt.region, message)


def face_candidate(one: Candidate) -> OutboundEvent:
    message = events_pb2.FaceCandidate(
        candidate_id=str(one.candidate_id),
        camera_id=str(one.camera_id),
        region=one.region,
        captured_at=to_timestamp(one.captured_at),
        closeness=one.closeness,
        evidence_sha256=one.evidence_sha256,
        models_fingerprint=one.models_fingerprint,
    )
    event = Event(FACE_CANDIDATE, str(one.candidate_id), 1, one.region, message)
    emitted = EmittedEvent(
        event.event_id,
        event.subject,
        what="face candidate",
        box=one.box,
        confidence=one.closeness,
        at=one.captured_at,
    )
    return OutboundEvent(event, emitted)
