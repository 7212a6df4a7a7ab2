"""Watch-list entries, candidates and reviews, and their rules. Pure: no clock, no storage.

An entry is a person who is searched for by face. A candidate is a face in a camera's picture that
resembles an entry. No officer decides alone: an entry needs the approval of a second officer, and a
candidate becomes a lead only if two officers other than the entry's requester confirm it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import rfc8785
from chassis.refusals import Checks, Kind, Refusal
from vision.boxes import Box

LONGEST: Final = timedelta(days=180)
# A person who stands before a camera is one candidate, until this long not seen there.
SAME_SIGHTING: Final = timedelta(seconds=60)
# Nobody looked at it: whoever was seen is left alone again.
UNREVIEWED_KEPT: Final = timedelta(hours=24)
DISMISSED_KEPT: Final = timedelta(days=7)
REVIEWERS_FOR_A_LEAD: Final = 2
CASE_NUMBER: Final = (3, 60)
PURPOSE: Final = (10, 500)
REASON_MAX: Final = 500


class NoFace(Refusal):
    kind = Kind.INVALID
    code = "NO_FACE"


class SeveralFaces(Refusal):
    kind = Kind.INVALID
    code = "SEVERAL_FACES"


class FaceTooPoor(Refusal):
    """The refusal of a face not good enough for a template; `facts["why"]` names the reason."""

    kind = Kind.INVALID
    code = "FACE_TOO_POOR"


class EntryNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "ENTRY_NOT_FOUND"


class ApproverIsRequester(Refusal):
    kind = Kind.FORBIDDEN
    code = "APPROVER_IS_REQUESTER"


class EntryClosed(Refusal):
    kind = Kind.STATE
    code = "ENTRY_CLOSED"


class CandidateNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "CANDIDATE_NOT_FOUND"


class ReviewerIsRequester(Refusal):
    kind = Kind.FORBIDDEN
    code = "REVIEWER_IS_REQUESTER"


class EntryNotInForce(Refusal):
    kind = Kind.STATE
    code = "ENTRY_NOT_IN_FORCE"


class CandidateDecided(Refusal):
    kind = Kind.STATE
    code = "CANDIDATE_DECIDED"


class ReviewedAlready(Refusal):
    kind = Kind.STATE
    code = "REVIEWED_ALREADY"


class ListsAway(Refusal):
    """The refusal of a frame because the watch-lists are not loaded, so that its faces cannot be
    compared with them."""

    kind = Kind.UNAVAILABLE
    code = "WATCH_LISTS_AWAY"


class Basis(StrEnum):
    COURT_ORDER = "COURT_ORDER"
    WANTED_PERSON = "WANTED_PERSON"
    MISSING_PERSON = "MISSING_PERSON"


class EntryState(StrEnum):
    REQUESTED = "REQUESTED"
    IN_FORCE = "IN_FORCE"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


CLOSED: Final = frozenset({EntryState.WITHDRAWN, EntryState.EXPIRED})


@dataclass(frozen=True)
class Asked:
    """An officer's request to put a person on the watch-list of a region. `basis` is the lawful
    ground of the search; it is None if the officer named none."""

    entry_id: UUID
    region: str
    basis: Basis | None
    case_number: str
    purpose: str
    expires_at: datetime
    picture_sha256: bytes

    @property
    def content(self) -> bytes:
        """The request without its id, as canonical JSON (RFC 8785). If a request repeats an id, it
        must have the same content as the first request with that id."""
        return rfc8785.dumps(
            {
                "region": self.region,
                "basis": str(self.basis),
                "case_number": self.case_number,
                "purpose": self.purpose,
                "expires_at": self.expires_at.isoformat(),
                "picture": self.picture_sha256.hex(),
            }
        )


@dataclass(frozen=True)
class Entry:
    """A watch-list entry: a person who is searched for by face. The person's identity is not
    stored here; it is in the case file that has the number `case_number`."""

    entry_id: UUID
    region: str
    basis: Basis
    case_number: str
    purpose: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: EntryState = EntryState.REQUESTED
    approved_by: str = ""
    approved_at: datetime | None = None

    def approve(self, officer: str, now: datetime) -> "Entry":
        """Return the entry in force, approved by `officer`; unchanged if it is already in force.

        Raises ApproverIsRequester, or EntryClosed if the entry is closed or has expired.
        """
        if officer == self.requested_by:
            raise ApproverIsRequester
        if self.state in CLOSED or now >= self.expires_at:
            raise EntryClosed
        if self.state is EntryState.IN_FORCE:
            return self
        return replace(self, state=EntryState.IN_FORCE, approved_by=officer, approved_at=now)

    def is_in_force(self, now: datetime) -> bool:
        """Whether the entry is approved, not closed, and not past `expires_at`."""
        return self.state is EntryState.IN_FORCE and now < self.expires_at

    def withdraw(self) -> "Entry":
        """Return the entry in state WITHDRAWN; an entry that is already closed is unchanged."""
        return self if self.state in CLOSED else replace(self, state=EntryState.WITHDRAWN)

    def expire(self, now: datetime) -> "Entry":
        """Return the entry in state EXPIRED; unchanged if already closed or not past
        `expires_at`."""
        if self.state in CLOSED or now < self.expires_at:
            return self
        return replace(self, state=EntryState.EXPIRED)


class Verdict(StrEnum):
    SAME_PERSON = "SAME_PERSON"
    OTHER_PERSON = "OTHER_PERSON"


class CandidateState(StrEnum):
    OPEN = "OPEN"
    LEAD = "LEAD"
    DISMISSED = "DISMISSED"


@dataclass(frozen=True)
class Review:
    reviewer: str
    verdict: Verdict
    reason: str
    reviewed_at: datetime


@dataclass(frozen=True)
class Candidate:
    """A face in a camera's picture that resembles a watch-list entry; `closeness` is the
    similarity, from 0 to 1."""

    candidate_id: UUID
    entry_id: UUID
    camera_id: UUID
    region: str
    captured_at: datetime
    closeness: float
    box: Box
    evidence_sha256: str
    models_fingerprint: str
    state: CandidateState = CandidateState.OPEN
    reviews: tuple[Review, ...] = ()

    def review(self, review: Review, *, entry: Entry) -> "Candidate":
        """Return the candidate with this review added, and with the state that results: DISMISSED
        after OTHER_PERSON, LEAD after the second SAME_PERSON, else OPEN.

        `entry` is the entry that the candidate resembles. Raises ReviewerIsRequester,
        EntryNotInForce, CandidateDecided or ReviewedAlready.
        """
        if review.reviewer == entry.requested_by:
            raise ReviewerIsRequester
        if not entry.is_in_force(review.reviewed_at):
            raise EntryNotInForce
        if self.state is not CandidateState.OPEN:
            raise CandidateDecided
        if any(earlier.reviewer == review.reviewer for earlier in self.reviews):
            raise ReviewedAlready
        reviews = (*self.reviews, review)
        return replace(self, reviews=reviews, state=_decided(reviews))


def _decided(reviews: tuple[Review, ...]) -> CandidateState:
    if any(review.verdict is Verdict.OTHER_PERSON for review in reviews):
        return CandidateState.DISMISSED
    if len(reviews) >= REVIEWERS_FOR_A_LEAD:
        return CandidateState.LEAD
    return CandidateState.OPEN


def closeness(distance: float) -> float:
    """Return the similarity (0 to 1) of two templates at this L2 distance: 1 minus the distance,
    but never below 0."""
    return max(0.0, 1.0 - distance)


def check_asked(check: Checks, asked: Asked, now: datetime) -> None:
    """Check an officer's request for a watch-list entry, and add each wrong field to `check`.

    The fields checked are `basis`, `case_number`, `purpose` and `expires_at`. `expires_at` must be
    after `now`, by at most 180 days. The caller of this function must check whether the officer may
    act for `asked.region`.
    """
    check.that(asked.basis is not None, "basis", "must name the lawful ground of the search")
    _check_text(check, asked.case_number, "case_number", CASE_NUMBER)
    _check_text(check, asked.purpose, "purpose", PURPOSE)
    check.that(
        now < asked.expires_at <= now + LONGEST,
        "expires_at",
        f"must be in the future, at most {LONGEST.days} days ahead",
    )


def _check_text(check: Checks, text: str, field: str, lengths: tuple[int, int]) -> None:
    shortest, longest = lengths
    right = shortest <= len(text.strip()) <= longest and len(text) <= longest and text.isprintable()
    check.that(right, field, f"must be {shortest} to {longest} characters in one line")
