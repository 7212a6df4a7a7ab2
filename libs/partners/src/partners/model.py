"""A partner, the terms on which it may call, and the refusals (exceptions) about partners."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from chassis.fields import check_text
from chassis.refusals import Checks, Kind, Refusal
from host.shares import Quota

LANGUAGES = ("kk", "ru", "en")
CONTACT_MAX = 200
CALLBACK_MAX = 500
REASON_MAX = 200
CALLS_MAX = 10_000
CALLS_PER_SECOND_MAX = 100_000
STREAMS_MAX = 10_000
WITNESS_KEY_BYTES = 32
BYTES_PER_SECOND_MIN, BYTES_PER_SECOND_MAX = 1024, 1024**4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class PartnerScope(StrEnum):
    """What a partner may do; the policy of each method names the scope that a caller needs."""

    REPORTS = "reports"
    PAYMENTS = "payments"
    LOOK_UPS = "look_ups"
    WITNESS = "witness"


class PartnerUnknown(Refusal):
    """The partner's certificate is valid, but this service has no partner of that name."""

    kind = Kind.FORBIDDEN
    code = "PARTNER_UNKNOWN"


class PartnerRevoked(Refusal):
    kind = Kind.FORBIDDEN
    code = "PARTNER_REVOKED"


class ScopeMissing(Refusal):
    kind = Kind.FORBIDDEN
    code = "SCOPE_MISSING"


class ReportKindNotAllowed(Refusal):
    kind = Kind.FORBIDDEN
    code = "REPORT_KIND_NOT_ALLOWED"


class PartnerNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "PARTNER_NOT_FOUND"


class PartnerExists(Refusal):
    kind = Kind.EXISTS
    code = "PARTNER_EXISTS"


class PartnerChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "PARTNER_CHANGED_MEANWHILE"


@dataclass(frozen=True)
class QuotaTerms:
    """Limits on a partner's use of one process; None means the default limit for partners."""

    calls: int | None = None
    calls_per_second: float | None = None
    streams: int | None = None
    bytes_per_second: int | None = None

    @property
    def quota(self) -> Quota | None:
        """The limits as a `Quota`, with defaults for those that are None; None if all are None."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return Quota(**given) if given else None


@dataclass(frozen=True)
class PartnerTerms:
    """The terms on which a partner may call: scopes, kinds of reports, quota and contact.

    `kinds` are the categories of reports that the partner may hand in; an empty tuple allows all. A
    witness is a partner that keeps the heads (signed roots) of our audit logs and signs them;
    `witness_key` is a witness's Ed25519 public key, and b"" for other partners.
    """

    scopes: tuple[PartnerScope, ...]
    kinds: tuple[str, ...] = ()
    quota: QuotaTerms = QuotaTerms()
    callback_url: str = ""
    contact: str = ""
    languages: tuple[str, ...] = ()
    witness_key: bytes = b""


ALL_SCOPES = PartnerTerms(scopes=tuple(PartnerScope))


@dataclass(frozen=True)
class Partner:
    """A partner as stored by one service, with the time and author of the last change.

    `version` is 1 at first and grows by 1 with each change. `revoked_at` is None if the partner is
    not revoked.
    """

    name: str
    terms: PartnerTerms
    changed_at: datetime
    changed_by: str
    version: int = 1
    revoked_at: datetime | None = None

    def require(self, scope: PartnerScope) -> None:
        """Raise PartnerRevoked if the partner is revoked, or ScopeMissing if it lacks the scope."""
        if self.revoked_at is not None:
            raise PartnerRevoked
        if scope not in self.terms.scopes:
            raise ScopeMissing(facts={"scope": scope.value})

    def require_kind(self, kind: str) -> None:
        """Raise ReportKindNotAllowed unless the partner may hand in reports of this kind."""
        if self.terms.kinds and kind not in self.terms.kinds:
            raise ReportKindNotAllowed(facts={"kind": kind})


def check_name(check: Checks, name: str) -> None:
    """Check the name of a new partner; if it is wrong, the field is added to `check`.

    The name becomes part of a URI and of file names, so few characters are allowed.
    """
    right = _NAME.fullmatch(name) is not None
    check.that(right, "name", "1 to 63 of a-z, 0-9 and hyphens, the first no hyphen")


def check_terms(check: Checks, terms: PartnerTerms) -> None:
    """Check the values of a partner's terms; every wrong field is added to `check`."""
    at = "terms."
    check.that(bool(terms.scopes), at + "scopes", "at least one scope")
    _check_quota(check, at + "quota.", terms.quota)
    url = terms.callback_url
    right = not url or (url.isprintable() and url.startswith("https://") and " " not in url)
    check.that(
        right and len(url) <= CALLBACK_MAX,
        at + "callback_url",
        f"an https address of at most {CALLBACK_MAX} characters, or nothing",
    )
    check_text(check, at + "contact", terms.contact, longest=CONTACT_MAX)
    _check_each_once(check, at + "scopes", terms.scopes)
    _check_each_once(check, at + "kinds", terms.kinds)
    _check_each_once(check, at + "languages", terms.languages)
    right = len(terms.witness_key) in (0, WITNESS_KEY_BYTES)
    check.that(right, at + "witness_key", f"{WITNESS_KEY_BYTES} bytes, or nothing")
    known = all(language in LANGUAGES for language in terms.languages)
    check.that(known, at + "languages", "each of them kk, ru or en")


def _check_quota(check: Checks, at: str, quota: QuotaTerms) -> None:
    bounds = {
        "calls": (1, CALLS_MAX),
        "calls_per_second": (0.1, CALLS_PER_SECOND_MAX),
        "streams": (1, STREAMS_MAX),
        "bytes_per_second": (BYTES_PER_SECOND_MIN, BYTES_PER_SECOND_MAX),
    }
    for name, (least, most) in bounds.items():
        value = getattr(quota, name)
        right = value is None or least <= value <= most
        check.that(right, at + name, f"{least} to {most}, or absent for the default")


def _check_each_once(check: Checks, field: str, values: Iterable[str]) -> None:
    given = list(values)
    check.that(len(given) == len(set(given)), field, "each of them once")
