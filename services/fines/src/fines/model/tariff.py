"""The amount of a fine, in full and discounted.

The full amount is the base value (the monthly calculation index, MCI) times the number of base
values that the article states. The article applies in the edition in force at the time of the
offence. The base value is that of the day on which the prescription is sent (KoAP Arts. 44(1),
802(4)). `Amount` records the edition of the article and the version of the base value.
"""

from dataclasses import dataclass

from law.articles import Article
from law.assumed import assumed_years
from law.base_values import BaseValue
from law.fine_terms import FineTerms


@dataclass(frozen=True)
class Amount:
    """The amount of a fine in tiyn, full and discounted, and the values from which it was
    computed."""

    full_minor: int
    discounted_minor: int
    base_value_minor: int
    base_values: int
    tariff_version: str

    @property
    def assumed_years(self) -> tuple[int, ...]:
        """The years for which `tariff_version` has an assumed base value, because the law has none
        yet. Empty except in trial runs."""
        return assumed_years(self.tariff_version)


def amount_of(article: Article, base_value: BaseValue, terms: FineTerms) -> Amount:
    """Return the amount of a fine under `article`: the article's number of base values times
    `base_value`.

    The discounted amount equals the full one if the article allows no discount (KoAP Art. 811).
    """
    full = article.base_values * base_value.amount_minor
    return Amount(
        full_minor=full,
        discounted_minor=terms.discounted(full) if article.discount else full,
        base_value_minor=base_value.amount_minor,
        base_values=article.base_values,
        tariff_version=f"{article.edition} {base_value.version}",
    )
