"""A violation: its states, the transitions between them, and its holds.

Pure: no clock, no storage. `rules` decides which readings violate which rule; `signing` produces
the bytes that an officer signs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from uuid import UUID

from chassis.refusals import Kind, Refusal

REASON_MAX = 500


class State(StrEnum):
    REVIEW = "REVIEW"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    ANNULLED = "ANNULLED"


class Verdict(StrEnum):
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    ANNUL = "ANNUL"


class Source(StrEnum):
    DEVICE = "DEVICE"
    CITIZEN = "CITIZEN"


class Hold(StrEnum):
    """The reason why a violation must not be confirmed, so that no fine is issued; NONE if none."""

    NONE = ""
    # KoAP 802(1)(3): a citizen's evidence is a reason to open a case, with a protocol.
    CITIZEN_EVIDENCE = "CITIZEN_EVIDENCE"
    # KoAP 807(1)(2), 810: immunity, service and military plates.
    PLATE_NOT_AUTOMATIC = "PLATE_NOT_AUTOMATIC"
    # KoAP 31: a device certified and verified when it measured.
    DEVICE_NOT_VERIFIED = "DEVICE_NOT_VERIFIED"
    DEVICE_NOT_CERTIFIED = "DEVICE_NOT_CERTIFIED"
    DEVICE_DIFFERS = "DEVICE_DIFFERS"
    # In no known form, and read with low confidence.
    PLATE_UNSURE = "PLATE_UNSURE"
    # What no device can have measured, see law.guards.
    SPEED_MISSING = "SPEED_MISSING"
    SPEED_IMPLAUSIBLE = "SPEED_IMPLAUSIBLE"
    SPEED_LIMIT_IMPLAUSIBLE = "SPEED_LIMIT_IMPLAUSIBLE"
    SIGNAL_MISSING = "SIGNAL_MISSING"
    SIGNAL_IMPLAUSIBLE = "SIGNAL_IMPLAUSIBLE"
    SIGNAL_ALLOWED_PASSING = "SIGNAL_ALLOWED_PASSING"
    STOP_LINE_NOT_PASSED = "STOP_LINE_NOT_PASSED"
    DEVICE_CLOCK_AHEAD = "DEVICE_CLOCK_AHEAD"
    DEVICE_CLOCK_BEHIND = "DEVICE_CLOCK_BEHIND"
    # The same vehicle elsewhere, sooner than it can drive there.
    IMPOSSIBLE_JOURNEY = "IMPOSSIBLE_JOURNEY"
    # Evidence that a citizen handed in belongs to another violation.
    EVIDENCE_REUSED = "EVIDENCE_REUSED"


class Caution(StrEnum):
    """A warning that the officer signs with the decision. It does not prevent any decision."""

    NONE = ""
    # The inference gateway's golden probes were answered wrongly or late at that time.
    READ_WHILE_DEGRADED = "READ_WHILE_DEGRADED"
    # In a known form, but some character was read with low confidence.
    PLATE_NOT_SURE = "PLATE_NOT_SURE"


class Outcome(StrEnum):
    """The result of assessing a plate read or a citizen's evidence."""

    VIOLATION = "violation"
    DUPLICATE = "duplicate"
    EVIDENCE_REUSED = "evidence_reused"
    NO_OFFENCE = "no_offence"
    KIND_UNFIT = "kind_unfit"
    RULES_MISSING = "rules_missing"
    CAMERA_UNKNOWN = "camera_unknown"
    CAMERA_NOT_REGISTERED_THEN = "camera_not_registered_then"
    HELD = "held"
    NO_READINGS = "no_readings"
    REPORT_WITHOUT_EVIDENCE = "report_without_evidence"


class ViolationNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "VIOLATION_NOT_FOUND"


class ViolationAlreadyDecided(Refusal):
    kind = Kind.STATE
    code = "VIOLATION_ALREADY_DECIDED"


class ViolationNotConfirmed(Refusal):
    kind = Kind.STATE
    code = "VIOLATION_NOT_CONFIRMED"


class ViolationChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "VIOLATION_CHANGED_MEANWHILE"


class NotAutomatic(Refusal):
    kind = Kind.STATE
    code = "NOT_AUTOMATIC"


class PlateUnsure(Refusal):
    kind = Kind.STATE
    code = "PLATE_UNSURE"


class ReasonRequired(Refusal):
    kind = Kind.INVALID
    code = "REASON_REQUIRED"


class EvidenceNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "EVIDENCE_NOT_FOUND"


class DecisionNotPrepared(Refusal):
    kind = Kind.STATE
    code = "DECISION_NOT_PREPARED"


class SignatureWrong(Refusal):
    kind = Kind.FORBIDDEN
    code = "SIGNATURE_WRONG"


class CertificateNotTrusted(Refusal):
    kind = Kind.FORBIDDEN
    code = "CERTIFICATE_NOT_TRUSTED"


class CertificateOfOtherOfficer(Refusal):
    kind = Kind.FORBIDDEN
    code = "CERTIFICATE_OF_OTHER_OFFICER"


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    region: str
    address: str


@dataclass(frozen=True)
class Box:
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass(frozen=True)
class Plate:
    text: str
    confidence: float = 0
    box: Box = Box()
    character_confidences: tuple[float, ...] = ()
    country: str = ""
    plate_type: str = ""

    @property
    def has_known_form(self) -> bool:
        """Whether the text has the format of a known country or plate type."""
        return bool(self.country or self.plate_type)

    def is_sure(self, sure_from: float) -> bool:
        """Whether the plate and each of its characters were read with at least the confidence
        `sure_from` (0 to 1)."""
        return min((self.confidence, *self.character_confidences)) >= sure_from


@dataclass(frozen=True)
class Readings:
    device_serial: str
    device_time: datetime
    counter: int
    frame_sha256: str
    speed_kmh: float | None = None
    speed_limit_kmh: float | None = None
    signal_phase: str = ""
    signal_age_seconds: float | None = None
    past_stop_line: bool | None = None


@dataclass(frozen=True)
class Device:
    """The details of a device that the prescription to pay a fine must state (KoAP 822-1)."""

    name: str
    serial: str
    certificate_number: str
    verification_number: str = ""
    verification_from: datetime | None = None
    verification_until: datetime | None = None
    # "SPEED_POINT"; empty in what was recorded before kinds were kept.
    kind: str = ""
    # Taken off the measured speed; None where no speed was measured.
    tolerance_kmh: float | None = None


@dataclass(frozen=True)
class Offence:
    code: str
    article: str
    rules_version: str
    rules_sha256: str


@dataclass(frozen=True)
class Frame:
    """A frame in evidence, known by the SHA-256 (hex) of its original and of its shown form (the
    copy shown to officers).

    `shown_sha256` is "" if the hash of the shown form is not known.
    """

    original_sha256: str
    shown_sha256: str = ""

    @property
    def sha256(self) -> str:
        """The SHA-256 that an officer signs: `shown_sha256`, or `original_sha256` if that is ""."""
        return self.shown_sha256 or self.original_sha256


@dataclass(frozen=True)
class Decision:
    decision_id: UUID
    officer: str
    decided_at: datetime
    reason: str
    canonical: bytes = b""
    signature: bytes = b""
    certificate: bytes = b""


# One row for each state and verdict: the next state, or the refusal.
TRANSITIONS: dict[tuple[State, Verdict], State | type[Refusal]] = {
    (State.REVIEW, Verdict.CONFIRM): State.CONFIRMED,
    (State.REVIEW, Verdict.REJECT): State.REJECTED,
    (State.REVIEW, Verdict.ANNUL): ViolationNotConfirmed,
    (State.CONFIRMED, Verdict.CONFIRM): ViolationAlreadyDecided,
    (State.CONFIRMED, Verdict.REJECT): ViolationAlreadyDecided,
    (State.CONFIRMED, Verdict.ANNUL): State.ANNULLED,
    (State.REJECTED, Verdict.CONFIRM): ViolationAlreadyDecided,
    (State.REJECTED, Verdict.REJECT): ViolationAlreadyDecided,
    (State.REJECTED, Verdict.ANNUL): ViolationNotConfirmed,
    (State.ANNULLED, Verdict.CONFIRM): ViolationAlreadyDecided,
    (State.ANNULLED, Verdict.REJECT): ViolationAlreadyDecided,
    (State.ANNULLED, Verdict.ANNUL): ViolationNotConfirmed,
}

# Who may decide what.
ROLES: dict[Verdict, str] = {
    Verdict.CONFIRM: "inspector",
    Verdict.REJECT: "inspector",
    Verdict.ANNUL: "supervisor",
}


@dataclass(frozen=True)
class Violation:
    violation_id: UUID
    source: Source
    camera_id: UUID | None
    place: Place
    occurred_at: datetime
    plate: Plate
    offence: Offence
    readings: Readings | None
    over_kmh: Decimal | None
    device: Device | None
    evidence_sha256: tuple[str, ...]
    models_fingerprint: str
    hold: Hold
    report_id: UUID | None
    story: str
    state: State = State.REVIEW
    version: int = 1
    decision: Decision | None = None
    caution: Caution = Caution.NONE
    # Violations that contradict this one.
    conflicting: tuple[UUID, ...] = ()
    # The forms of `evidence_sha256` that officers are shown, in the same order; "" where it is not
    # known yet, as of violations from before there were two forms.
    shown_sha256: tuple[str, ...] = ()

    @property
    def frames(self) -> tuple["Frame", ...]:
        """The evidence: each original paired with its shown form (the copy shown to officers)."""
        return tuple(
            Frame(original, shown)
            for original, shown in zip_longest(
                self.evidence_sha256, self.shown_sha256, fillvalue=""
            )
        )

    @property
    def evidence_hashes(self) -> frozenset[str]:
        """SHA-256 (hex) of all originals and, where known, of the copies shown to officers."""
        return frozenset({*self.evidence_sha256, *filter(None, self.shown_sha256)})

    def frame(self, sha256: str) -> "Frame":
        """Return the frame whose original or shown form has this hash. Raises EvidenceNotFound."""
        for frame in self.frames:
            if sha256 and sha256 in (frame.original_sha256, frame.shown_sha256):
                return frame
        raise EvidenceNotFound

    def with_frames(self, frames: Sequence["Frame"]) -> "Violation":
        """Return a copy of the violation with these frames as its evidence."""
        return replace(
            self,
            evidence_sha256=tuple(frame.original_sha256 for frame in frames),
            shown_sha256=tuple(frame.shown_sha256 for frame in frames),
        )

    @property
    def has_unknown_forms(self) -> bool:
        """Whether the hash of any frame's shown form (the copy shown to officers) is unknown."""
        return any(not frame.shown_sha256 for frame in self.frames)

    def with_forms(self, known: Mapping[str, str]) -> "Violation":
        """Return the violation with missing hashes of shown forms (copies shown to officers) added.
        `known` maps the hash of an original to the hash of its shown form.

        The version rises by 1 if this changes the hashes that an officer signs.
        """
        frames = [
            replace(frame, shown_sha256=frame.shown_sha256 or known.get(frame.original_sha256, ""))
            for frame in self.frames
        ]
        learnt = self.with_frames(frames)
        pairs = zip(learnt.frames, self.frames, strict=True)
        is_same = all(new.sha256 == old.sha256 for new, old in pairs)
        return learnt if is_same else replace(learnt, version=self.version + 1)

    def check_version(self, shown: int) -> None:
        """Raise ViolationChangedMeanwhile if the version has changed since an officer was shown
        version `shown`. If `shown` is 0, nothing is checked."""
        if shown and shown != self.version:
            raise ViolationChangedMeanwhile(facts={"version": str(self.version)})

    def verdicts_of(self, roles: Collection[str]) -> tuple[Verdict, ...]:
        """Return the verdicts that an officer with these roles may now give."""
        return tuple(
            verdict for verdict, role in ROLES.items() if role in roles and self._allows(verdict)
        )

    def _allows(self, verdict: Verdict) -> bool:
        try:
            self.next_state(verdict)
        except Refusal:
            return False
        return True

    def next_state(self, verdict: Verdict) -> State:
        """Return the state after this verdict. Raises the refusal in TRANSITIONS if the current
        state forbids it. If a hold prevents confirmation, raises PlateUnsure or NotAutomatic."""
        target = TRANSITIONS[self.state, verdict]
        if not isinstance(target, State):
            raise target(facts={"state": self.state.value})
        if target is State.CONFIRMED and self.hold is Hold.PLATE_UNSURE:
            raise PlateUnsure
        if target is State.CONFIRMED and self.hold:
            raise NotAutomatic(facts={"hold_reason": self.hold.value})
        return target

    def decide(self, verdict: Verdict, decision: Decision) -> "Violation":
        """Return the decided violation in its next version. Raises the refusals of `next_state`."""
        state = self.next_state(verdict)
        return replace(self, state=state, decision=decision, version=self.version + 1)


def required_reason(verdict: Verdict, reason: str) -> str:
    """Return `reason` stripped. Raises ReasonRequired if the result is too long, has a null
    character, or is empty although `verdict` is not CONFIRM."""
    text = reason.strip()
    needed = verdict is not Verdict.CONFIRM
    if len(text) > REASON_MAX or "\x00" in text or (needed and not text):
        raise ReasonRequired
    return text
