"""Editions of a table of law: which edition was in force on a day.

An edition is in force from its first day to its last, both inclusive, by the date in Almaty. An
edition whose last day is None is in force until a newer edition begins. Where two editions overlap,
the newer one is in force.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Generic, Protocol, TypeVar

from law.zone import almaty_day


class Edition(Protocol):
    """An edition of a table, with the first and the last day on which it is in force."""

    @property
    def valid_from(self) -> date:
        """The first day in force, inclusive."""

    @property
    def valid_until(self) -> date | None:
        """The last day in force, inclusive; None if the edition lasts until a newer one begins."""


E = TypeVar("E", bound=Edition)


class EditionMissing(LookupError):
    """No edition was in force on the requested day; the law of another day is never substituted."""


class Editions(Generic[E]):
    """All editions of one table, given in any order; finds the edition in force on a day."""

    def __init__(self, editions: Iterable[E]) -> None:
        self._newest_first = sorted(editions, key=lambda edition: edition.valid_from, reverse=True)

    def at(self, moment: datetime) -> E:
        """The edition in force on the date of a moment in Almaty. Raises EditionMissing."""
        return self.on(almaty_day(moment))

    def on(self, day: date) -> E:
        """The edition in force on a day. Raises EditionMissing."""
        for edition in self._newest_first:
            if is_in_force(edition, day):
                return edition
        raise EditionMissing(day.isoformat())


def is_in_force(edition: Edition, day: date) -> bool:
    """Whether an edition is in force on a day; both its first and its last day count."""
    last = edition.valid_until
    return edition.valid_from <= day and (last is None or day <= last)
