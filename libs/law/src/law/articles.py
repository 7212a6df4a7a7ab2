"""Articles of the Code of Administrative Offences (KoAP), by edition.

An article states the fine and, if a device can detect the offence, what the device must measure.
The edition is chosen by the day of the offence (KoAP Art. 5); a decision records the version and
hash of that edition.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from law.editions import Editions
from law.packaged import tables


@dataclass(frozen=True)
class Bracket:
    """A range of excess over the speed limit, in km/h, from `over` to `up_to`.

    `over_included` and `up_to_included` say whether the bound itself is in the range; `up_to` is
    None for no upper bound.
    """

    over: Decimal
    over_included: bool
    up_to: Decimal | None
    up_to_included: bool

    def holds(self, excess: Decimal) -> bool:
        """Whether an excess over the speed limit, in km/h, is in this range."""
        above = excess >= self.over if self.over_included else excess > self.over
        if self.up_to is None:
            return above
        return above and (excess <= self.up_to if self.up_to_included else excess < self.up_to)


@dataclass(frozen=True)
class Signal:
    """The phase of a traffic light that forbids passing, and the grace period after it begins."""

    phase: str
    grace_seconds: Decimal


@dataclass(frozen=True)
class Article:
    """A part of a KoAP article that defines one offence, with its fine.

    The fine is `base_values` times the monthly calculation index (MCI). If `discount` is set, the
    fine is less when paid early. `edition` is the version and hash of the table of articles.
    """

    code: str
    article: str
    base_values: int
    # The first day on which a prescription may be issued without a protocol; None if never.
    automatic_from: date | None
    discount: bool
    substance_kk: str
    substance_ru: str
    edition: str
    # What a device must measure to establish the offence, if a device can.
    speed: Bracket | None = None
    signal: Signal | None = None

    @property
    def measures_speed(self) -> bool:
        """Whether the offence is established by a measured speed (KoAP Art. 592)."""
        return self.speed is not None


@dataclass(frozen=True)
class PlateRules:
    """Rules on plates for automatic fines.

    `not_automatic` are the classes of plates (`law.plates`) that are never fined automatically;
    `sure_from` is the least confidence (0 to 1) at which a recognised character counts as read.
    """

    not_automatic: frozenset[str]
    sure_from: float


@dataclass(frozen=True)
class Articles:
    """An edition of the articles; `by_code` maps the code of an offence to its article.

    `valid_until` is the last day in force, None if the edition lasts until a newer one begins.
    """

    version: str
    sha256: str
    valid_from: date
    valid_until: date | None
    plates: PlateRules
    by_code: Mapping[str, Article]

    @classmethod
    def parse(cls, raw: bytes) -> "Articles":
        """Parse the content of a file `articles-*.json`; speeds become exact decimals.

        Raises KeyError or ValueError if a field is missing or malformed.
        """
        table = json.loads(raw, parse_float=Decimal)
        last, sha256 = table["valid_until"], hashlib.sha256(raw).hexdigest()
        edition = f"{table['version']}@sha256:{sha256}"
        return cls(
            version=table["version"],
            sha256=sha256,
            valid_from=date.fromisoformat(table["valid_from"]),
            valid_until=date.fromisoformat(last) if last else None,
            plates=PlateRules(
                frozenset(table["plates"]["not_automatic"]), float(table["plates"]["sure_from"])
            ),
            by_code={row["code"]: _article(row, edition) for row in table["articles"]},
        )

    def speeding(self, excess_kmh: Decimal) -> Article | None:
        """Return the article for an excess over the speed limit in km/h (KoAP 592); None if the
        excess is in no article's range."""
        rows = self.by_code.values()
        return next((row for row in rows if row.speed and row.speed.holds(excess_kmh)), None)

    def passing_a_signal(self, phase: str) -> Article | None:
        """The article that forbids passing a traffic light in this phase (KoAP 599(1)), or None."""
        rows = self.by_code.values()
        return next((row for row in rows if row.signal and row.signal.phase == phase), None)


def read_articles() -> Editions[Articles]:
    """Read all editions of the articles shipped with this library."""
    return Editions(map(Articles.parse, tables("articles-")))


def _article(row: dict[str, Any], edition: str) -> Article:
    since = row["automatic_from"]
    return Article(
        code=row["code"],
        article=row["article"],
        base_values=row["base_values"],
        automatic_from=date.fromisoformat(since) if since else None,
        discount=row["discount"],
        substance_kk=row["substance_kk"],
        substance_ru=row["substance_ru"],
        edition=edition,
        speed=_bracket(row["speed_kmh"]) if "speed_kmh" in row else None,
        signal=_signal(row["signal"]) if "signal" in row else None,
    )


def _bracket(row: dict[str, Any]) -> Bracket:
    up_to = row["up_to"]
    return Bracket(
        over=Decimal(row["over"]),
        over_included=row["over_included"],
        up_to=None if up_to is None else Decimal(up_to),
        up_to_included=row["up_to_included"],
    )


def _signal(row: dict[str, Any]) -> Signal:
    return Signal(row["phase"], Decimal(row["grace_seconds"]))
