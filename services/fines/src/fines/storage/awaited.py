"""Queries for the fines that wait for a scheduled step, by the step's name; `tartip verify` checks
that the step is scheduled for each of them."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Select, select

from fines.model.fine import State
from fines.model.holds import LOOKED_AT_AGAIN, Hold
from fines.storage.tables import fines


def _in(state: State) -> ColumnElement[bool]:
    return fines.c.state == state.value


_NEEDS_NOBODY = fines.c.hold_reason.in_(
    [Hold.NONE.value, *(hold.value for hold in LOOKED_AT_AGAIN)]
)
AWAITED: Mapping[str, Select[tuple[str]]] = {
    "issue": select(fines.c.number).where(_in(State.AWAITING), _NEEDS_NOBODY),
    "deliver": select(fines.c.number).where(_in(State.ISSUED)),
    "come_into_force": select(fines.c.number).where(_in(State.DELIVERED)),
    "fall_overdue": select(fines.c.number).where(_in(State.IN_FORCE)),
}
