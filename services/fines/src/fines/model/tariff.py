"""How much: an article's sanction times the base value (MCI), and what is left with the discount.

The article is the one in force when the offence happened; the base value the one in force on the
day the prescription is sent (KoAP Arts. 44(1), 802(4)). A decision records which tables it used.
"""

from dataclasses import dataclass

from law.articles import Article
from law.assumed import assumed_years
from law.base_values import BaseValue
from law.fine_terms import FineTerms


@dataclass(frozen=True)
class Amount:
    """What a fine costs in tiyn, and what it was computed from."""

    full_minor: int
    discounted_minor: int
    base_value_minor: int
    base_values: int
    tariff_version: str

    @property
    def assumed_years(self) -> tuple[int, ...]:
        """Years whose base value was assumed, as the tariff version names them; only in trials."""
        return assumed_years(self.tariff_version)


def amount_of(article: Article, base_value: BaseValue, terms: FineTerms) -> Amount:
    """The sanction of the article in tiyn, with the discount of Art. 811 if it allows one."""
    full = article.base_values * base_value.amount_minor
    return Amount(
        full_minor=full,
        discounted_minor=terms.discounted(full) if article.discount else full,
        base_value_minor=base_value.amount_minor,
        base_values=article.base_values,
        tariff_version=f"{article.edition} {base_value.version}",
    )
