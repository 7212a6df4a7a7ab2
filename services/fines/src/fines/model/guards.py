"""The checks that prevent the issue of a fine: every fact is verified again before issue.

Each failed check yields a hold: a named reason, shown to operators, why the fine is not issued. A
fine is not issued if a time limit for issuing it has passed, if the device cannot have made the
readings, or if the device had no valid metrological verification when it measured the speed.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from law.articles import Article, Articles, PlateRules
from law.fine_dates import last_day_of_liability, last_day_to_send
from law.fine_terms import FineTerms
from law.guards import Guards, Measured, Rule, is_verified
from law.plates import classes_of, normalised_plate
from law.zone import almaty_day

from fines.model.holds import Hold
from fines.model.violation import ConfirmedViolation, Decision, Device

ROUNDING_KMH = Decimal("0.000001")
# Holds of violations whose moment or place is itself in doubt: they prove nothing about another.
MOMENT_IN_DOUBT = frozenset(
    {Hold.DEVICE_DIFFERS, Hold.DEVICE_CLOCK_AHEAD, Hold.DEVICE_CLOCK_BEHIND}
)


def time_hold(occurred_at: datetime, now: datetime, terms: FineTerms) -> Hold:
    """Return a hold if a time limit for issuing a fine has passed or the offence lies in the
    future. Returns Hold.NONE otherwise.

    The time limits of KoAP Arts. 62 and 822-1(3) are counted in calendar days, which favours the
    owner.
    """
    occurred_on, today = almaty_day(occurred_at), almaty_day(now)
    if occurred_at > now:
        return Hold.OCCURRED_IN_FUTURE
    if today > last_day_of_liability(occurred_on, terms):
        return Hold.LIMITATION_EXPIRED
    if today > last_day_to_send(occurred_on, terms):
        return Hold.SENT_TOO_LATE
    return Hold.NONE


def fact_holds(
    violation: ConfirmedViolation, articles: Articles | None, guards: Guards | None
) -> Iterator[Hold]:
    """Yield the reasons why a fine may not be issued automatically, the most important first.

    Only one hold is yielded if the violation is unconfirmed, has a hold of the violations service,
    rests on citizens' evidence, or has no known article. `articles` and `guards` are the editions
    in force at the offence, None if there was none.
    """
    article = articles.by_code.get(violation.offence_code) if articles else None
    if not violation.is_confirmed:
        yield Hold.VIOLATION_NOT_CONFIRMED
    elif not violation.from_device:
        yield Hold.CITIZEN_EVIDENCE
    elif violation.hold_reason:
        yield Hold.VIOLATION_HELD
    elif articles is None or article is None or guards is None:
        yield Hold.ARTICLE_UNKNOWN
    else:
        yield from _article_holds(violation, article)
        yield from _plate_holds(violation.plate, articles.plates)
        yield from _decision_holds(violation.decision)
        yield from _evidence_holds(violation)
        yield from _device_holds(violation, article)
        yield from _reading_holds(violation, article, articles, guards)


def contradicts(other: ConfirmedViolation, violation: ConfirmedViolation, guards: Guards) -> bool:
    """Whether `other` shows the vehicle at a place that it could not have reached in the time
    between both violations.

    False if `other` was rejected or annulled, rests on citizens' evidence, or has a doubtful time
    or place.
    """
    is_open = other.is_confirmed or other.is_in_review
    proves = other.from_device and other.hold_reason not in MOMENT_IN_DOUBT
    return is_open and proves and not guards.journey.is_possible(violation.sighting, other.sighting)


def _article_holds(violation: ConfirmedViolation, article: Article) -> Iterator[Hold]:
    # The edition that it was detected under may have been corrected since; then nobody is fined.
    if violation.article != article.article:
        yield Hold.ARTICLE_DIFFERS
    since = article.automatic_from
    if since is None or almaty_day(violation.occurred_at) < since or not article.base_values:
        yield Hold.ARTICLE_NOT_AUTOMATIC


def _plate_holds(text: str, rules: PlateRules) -> Iterator[Hold]:
    plate = normalised_plate(text)
    if plate is None:
        yield Hold.PLATE_WRONG
    elif classes_of(plate) & rules.not_automatic:
        yield Hold.PLATE_NOT_AUTOMATIC


def _decision_holds(decision: Decision) -> Iterator[Hold]:
    """Yield a hold if no named officer decided: no fine is issued by a machine alone."""
    if not (decision.decision_id and decision.officer and decision.decided_at):
        yield Hold.DECISION_MISSING


def _evidence_holds(violation: ConfirmedViolation) -> Iterator[Hold]:
    if not violation.evidence_sha256:
        yield Hold.EVIDENCE_MISSING
    elif violation.readings and violation.readings.frame_sha256 not in violation.frames:
        yield Hold.EVIDENCE_DIFFERS


def _device_holds(violation: ConfirmedViolation, article: Article) -> Iterator[Hold]:
    device = violation.device
    if not (device.name and device.serial and device.certificate_number):
        yield Hold.DEVICE_INCOMPLETE
    if violation.readings and violation.readings.device_serial != device.serial:
        yield Hold.DEVICE_DIFFERS
    # A device that measures nothing needs no verification; if it has one, that must be valid.
    needs_verification = article.measures_speed or bool(device.verification_number)
    if needs_verification and not _was_verified(device, violation.measured_at):
        yield Hold.DEVICE_NOT_VERIFIED


def _was_verified(device: Device, at: datetime) -> bool:
    since, until = device.verification_from, device.verification_until
    if not device.verification_number or since is None or until is None:
        return False
    return is_verified(since, until, at)


def _reading_holds(
    violation: ConfirmedViolation, article: Article, articles: Articles, guards: Guards
) -> Iterator[Hold]:
    rule, kind = guards.rule_of(article.code), violation.device.kind
    if kind and (rule is None or not guards.camera_kinds.may_find(kind, rule)):
        yield Hold.CAMERA_KIND_UNFIT
    if rule is None:  # no device measures it: the officer decided by the pictures alone
        return
    reason = guards.readings.why_held(rule, violation.measured)
    if reason is not None:
        yield Hold(reason.value)
    elif abs(violation.measured_at - violation.occurred_at) > guards.journey.clock_slack:
        yield Hold.READINGS_DIFFER
    elif rule is Rule.SPEED:
        yield from _speed_holds(violation, article, articles, guards)
    elif not _is_past_grace(violation.measured, article):
        yield Hold.READINGS_DIFFER


def _speed_holds(
    violation: ConfirmedViolation, article: Article, articles: Articles, guards: Guards
) -> Iterator[Hold]:
    """Recompute the speed excess and yield a hold unless the excess lies in the speed bracket
    that the officer confirmed."""
    device, measured = violation.device, violation.measured
    tolerance = device.tolerance_kmh
    assert measured.speed_kmh is not None
    least = guards.readings.speed.tolerance_kmh(
        device.kind, Decimal(repr(measured.speed_kmh)), of_camera=0.0
    )
    if tolerance is not None and Decimal(repr(tolerance)) + ROUNDING_KMH < least:
        yield Hold.TOLERANCE_TOO_SMALL
        return
    excess = guards.readings.excess_kmh(device.kind, measured, tolerance or 0.0)
    over = violation.over_kmh
    if over is None:
        yield Hold.SPEED_MISSING
        return
    assert excess is not None
    confirmed_excess = Decimal(repr(over))
    if (
        confirmed_excess > excess + ROUNDING_KMH
        or articles.speeding(confirmed_excess) is not article
    ):
        yield Hold.READINGS_DIFFER


def _is_past_grace(measured: Measured, article: Article) -> bool:
    """Whether the light had been red for longer than the article's grace period."""
    age, signal = measured.signal_age_seconds, article.signal
    assert signal is not None, "the guards name this article for lights"
    return age is not None and Decimal(repr(age)) > signal.grace_seconds
