"""The time limits of a fine and the discount for early payment, by edition of the law.

See `law.fine_dates` for how days are counted.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from law.editions import Editions
from law.packaged import tables

WHOLE_PERCENT = 100


@dataclass(frozen=True)
class FineTerms:
    """The lengths of a fine's time limits in one edition of the law, and the discount in percent.

    Fields named `_calendar_days` are in calendar days; other `_days` are working or calendar days,
    depending on `fine_dates.DayCount` (KoAP 739).
    """

    version: str
    sha256: str
    valid_from: date
    valid_until: date | None
    sent_within_calendar_days: int
    limitation_months: int
    discount_days: int
    discount_percent: int
    considered_days: int
    appeal_days: int
    voluntary_days: int
    enforcement_calendar_days: int

    @classmethod
    def parse(cls, raw: bytes) -> "FineTerms":
        """Parse the content of a file `fine-terms-*.json`.

        Raises ValueError for a time limit without a source, a length that is not above zero, or a
        discount that is not strictly between 0 and 100 %.
        """
        table = json.loads(raw)
        last, terms = table["valid_until"], table["terms"]
        return cls(
            version=table["version"],
            sha256=hashlib.sha256(raw).hexdigest(),
            valid_from=date.fromisoformat(table["valid_from"]),
            valid_until=date.fromisoformat(last) if last else None,
            sent_within_calendar_days=_length(terms, "sent_within", "calendar_days"),
            limitation_months=_length(terms, "limitation", "months"),
            discount_days=_length(terms, "discount", "days"),
            discount_percent=_percent(terms, "discount"),
            considered_days=_length(terms, "considered", "days"),
            appeal_days=_length(terms, "appeal", "days"),
            voluntary_days=_length(terms, "voluntary", "days"),
            enforcement_calendar_days=_length(terms, "enforcement", "calendar_days"),
        )

    def discounted(self, amount_minor: int) -> int:
        """The amount to pay while the discount applies (KoAP 811(1)), in tiyn, rounded down.

        `amount_minor` is the full fine in tiyn.
        """
        assert amount_minor >= 0
        return amount_minor * (WHOLE_PERCENT - self.discount_percent) // WHOLE_PERCENT


def read_fine_terms() -> Editions[FineTerms]:
    """Read all editions of the time limits of fines shipped with this library."""
    return Editions(map(FineTerms.parse, tables("fine-terms-")))


def _length(terms: dict[str, Any], term: str, unit: str) -> int:
    if not terms[term]["source"].strip():
        raise ValueError(f"{term} names no source")
    length = int(terms[term][unit])
    if length <= 0:
        raise ValueError(f"{term} has no length")
    return length


def _percent(terms: dict[str, Any], term: str) -> int:
    percent = int(terms[term]["percent"])
    if not 0 < percent < WHOLE_PERCENT:
        raise ValueError(f"{term} is a discount of {percent} %")
    return percent
