"""Legal dates, computed again after the calendar that they were counted with was corrected.

Only in the owner's favour: of each date the later one applies. What the new dates show to have
happened too early is reversed: a fine that came into force while it could still be appealed is open
to appeal again, one that fell overdue within its term is in force again. Amounts, payments and
letters stay as they are.
"""

from dataclasses import replace
from datetime import date

from law.calendar import Calendar
from law.editions import Editions
from law.fine_dates import LegalDates, legal_dates
from law.fine_terms import FineTerms

from fines.model.fine import TRANSITIONS, Fine, Move, State

# States in which a term may still run, or may have ended too early.
REDATED = (State.DELIVERED, State.IN_FORCE, State.OVERDUE)
TERMS = (
    "discount_until",
    "considered_on",
    "appeal_until",
    "in_force_on",
    "voluntary_until",
    "enforcement_by",
)


def redated(fine: Fine, calendar: Calendar, terms: Editions[FineTerms], today: date) -> Fine:
    """With the later of each date; the same object where none is. Raises TableYearMissing."""
    assert fine.state in REDATED and fine.dates
    counted = legal_dates(fine.dates.delivered_on, calendar, terms, fine.dates.day_count)
    dates = _later(fine.dates, counted)
    if dates is fine.dates:
        return fine
    move = _move_back(fine.state, dates, today)
    state = TRANSITIONS[fine.state, move] if move else fine.state
    return replace(fine, dates=dates, state=state, version=fine.version + 1)


def changed_terms(before: LegalDates, after: LegalDates) -> dict[str, str]:
    """For the audit log, by the name of the term: "2026-09-01 → 2026-09-02"."""
    return {
        name: f"{getattr(before, name)} → {getattr(after, name)}"
        for name in TERMS
        if getattr(before, name) != getattr(after, name)
    }


def _later(stored: LegalDates, counted: LegalDates) -> LegalDates:
    """Of each date the later one; the version names both calendars where both were used."""
    ends = {name: max(getattr(stored, name), getattr(counted, name)) for name in TERMS}
    if all(ends[name] == getattr(stored, name) for name in TERMS):
        return stored
    if all(ends[name] == getattr(counted, name) for name in TERMS):
        return counted
    version = f"{counted.calendar_version}; later ones by {stored.calendar_version}"
    return replace(counted, **ends, calendar_version=version)


def _move_back(state: State, dates: LegalDates, today: date) -> Move | None:
    if state in (State.IN_FORCE, State.OVERDUE) and today < dates.in_force_on:
        return Move.REOPEN_APPEAL
    if state is State.OVERDUE and today <= dates.voluntary_until:
        return Move.REOPEN_PAYMENT
    return None
