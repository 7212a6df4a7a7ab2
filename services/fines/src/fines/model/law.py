"""The legal tables from which fines are computed; the service reads them once, at its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from law.articles import Article, Articles, read_articles
from law.authorities import Authority, read_authorities
from law.calendar import Calendar
from law.editions import Editions
from law.fine_dates import DayCount, LegalDates, legal_dates
from law.fine_terms import FineTerms, read_fine_terms
from law.yearly import YearlyTables, read_yearly_tables
from law.zone import almaty_day

from fines.model.tariff import Amount, amount_of


@dataclass(frozen=True)
class Law:
    articles: Editions[Articles]
    terms: Editions[FineTerms]
    yearly: YearlyTables
    authorities: Mapping[str, Authority]

    @property
    def calendar(self) -> Calendar:
        """Working days and holidays of the years that have a table."""
        return self.yearly.calendar

    def amount(self, article: Article, sent_on: date) -> Amount:
        """Return the full and the discounted amount of a fine under `article`.

        `sent_on` is the day on which the prescription is sent; the base value and the discount in
        force on that day apply. Raises TableYearMissing if the year of that day has no base value.
        """
        base_value = self.yearly.base_values.on(sent_on)
        return amount_of(article, base_value, self.terms.on(sent_on))

    def dates(self, delivered_at: datetime, count: DayCount) -> LegalDates:
        """Return the last days for discount, appeal and payment, counted from the day of delivery
        in Almaty. `count` says whether working or calendar days are counted. Raises
        TableYearMissing if the calendar of a year is missing."""
        return legal_dates(almaty_day(delivered_at), self.calendar, self.terms, count)


def read_law(*, assume_years: bool = False) -> Law:
    """Read the legal tables shipped with the library `law`. `assume_years` (trial runs only)
    derives base values and calendars for years that have none; see `law.yearly`."""
    return Law(
        articles=read_articles(),
        terms=read_fine_terms(),
        yearly=read_yearly_tables(assume_years=assume_years),
        authorities=read_authorities(),
    )
