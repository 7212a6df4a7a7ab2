"""How much: articles as a table with validity dates, times the base value (MCI) of `law`.

The article is the one in force when the offence happened; the base value the one in force on the
day the prescription is sent (KoAP Arts. 44(1), 802(4)). A decision records which tables it used.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from law.assumed import assumed_years
from law.base_values import BaseValues


@dataclass(frozen=True)
class Article:
    code: str
    article: str
    base_values: int
    # Since when a prescription may be issued without a protocol; None where it may not.
    automatic_from: date | None
    discount: bool
    measures_speed: bool
    substance_kk: str
    substance_ru: str


@dataclass(frozen=True)
class Amount:
    """What a fine costs, and with what it was reckoned."""

    full_minor: int
    discounted_minor: int
    base_value_minor: int
    base_values: int
    tariff_version: str

    @property
    def assumed_years(self) -> tuple[int, ...]:
        return assumed_years(self.tariff_version)


@dataclass(frozen=True)
class Tariff:
    articles: dict[str, Article]
    articles_from: date
    base_values: BaseValues
    version: str

    @classmethod
    def parse(cls, articles: bytes, base_values: BaseValues) -> "Tariff":
        rows = json.loads(articles)
        return cls(
            articles={row["code"]: _article(row) for row in rows["articles"]},
            articles_from=date.fromisoformat(rows["valid_from"]),
            base_values=base_values,
            version=f"{rows['version']}@sha256:{hashlib.sha256(articles).hexdigest()}",
        )

    def article_on(self, code: str, occurred_on: date) -> Article | None:
        return self.articles.get(code) if occurred_on >= self.articles_from else None

    def amount(self, article: Article, sent_on: date) -> Amount:
        """Raises TableYearMissing."""
        value = self.base_values.on(sent_on)
        full = article.base_values * value.amount_minor
        return Amount(
            full_minor=full,
            discounted_minor=half(full) if article.discount else full,
            base_value_minor=value.amount_minor,
            base_values=article.base_values,
            tariff_version=f"{self.version} {value.version}",
        )


def speed_code(over_kmh: float) -> str:
    """The bracket of Art. 592; a value on the border of two falls to the lower, save "60 and more".

    `over_kmh` is what was measured, less the device's tolerance, less the limit.
    """
    if over_kmh < 10:
        return ""
    if over_kmh <= 20:
        return "SPEED_10_20"
    if over_kmh <= 40:
        return "SPEED_20_40"
    return "SPEED_40_60" if over_kmh < 60 else "SPEED_60_PLUS"


def half(amount_minor: int) -> int:
    """50 %; half a tiyn falls to the payer."""
    assert amount_minor >= 0
    return amount_minor // 2


def _article(row: dict[str, object]) -> Article:
    since = row["automatic_from"]
    return Article(
        code=str(row["code"]),
        article=str(row["article"]),
        base_values=int(str(row["base_values"])),
        automatic_from=date.fromisoformat(str(since)) if since else None,
        discount=bool(row["discount"]),
        measures_speed=row.get("measured") == "speed",
        substance_kk=str(row["substance_kk"]),
        substance_ru=str(row["substance_ru"]),
    )
