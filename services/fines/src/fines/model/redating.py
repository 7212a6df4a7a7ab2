"""Recomputes the legal dates of a fine after a correction of the calendar.

Dates change only in the owner's favour: of the stored and the recomputed date, the later one
applies. If an appeal is still possible by the new dates, the fine returns to DELIVERED. If only
voluntary payment is still possible, an overdue fine returns to IN_FORCE. Amounts, payments and
letters do not change.
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
    """Return the fine with its legal dates recomputed. Of the stored and the recomputed date, the
    later one is kept. If the new dates make the fine's state premature on `today`, the fine goes
    back to an earlier state. If no date changes, `fine` itself is returned.

    Raises TableYearMissing if the calendar of a year is missing.
    """
    assert fine.state in REDATED and fine.dates
    counted = legal_dates(fine.dates.delivered_on, calendar, terms, fine.dates.day_count)
    dates = _later(fine.dates, counted)
    if dates is fine.dates:
        return fine
    move = _move_back(fine.state, dates, today)
    state = TRANSITIONS[fine.state, move] if move else fine.state
    return replace(fine, dates=dates, state=state, version=fine.version + 1)


def changed_terms(before: LegalDates, after: LegalDates) -> dict[str, str]:
    """Return the dates that differ, by field name, as text for the audit log, such as
    {"appeal_until": "2026-09-01 → 2026-09-02"}."""
    return {
        name: f"{getattr(before, name)} → {getattr(after, name)}"
        for name in TERMS
        if getattr(before, name) != getattr(after, name)
    }


def _later(stored: LegalDates, counted: LegalDates) -> LegalDates:
    """Return the later date of each pair, or `stored` itself if no date is later. If dates of
    both are used, the calendar version names both calendars."""
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
