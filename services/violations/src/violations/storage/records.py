"""Lists the records of this service that `CheckDecisions` compares with the audit log: decided
violations, and the decisions on them."""

from typing import Any

from audit_log.decision_checks import RecordSource, RecordTable
from sqlalchemy import Row, select

from violations.decided import DECISIONS, VIOLATION
from violations.model import State
from violations.storage.tables import decisions, violations


def _ref(row: Row[Any]) -> str:
    return f"violation:{row.violation_id}"


_DECIDED = select(violations).where(violations.c.state != State.REVIEW.value)
SOURCES: tuple[RecordSource, ...] = (
    RecordTable(VIOLATION, _DECIDED, (violations.c.violation_id,), _ref),
    *(
        RecordTable(
            kind,
            select(decisions).where(decisions.c.verdict == verdict.value),
            (decisions.c.decision_id,),
            _ref,
        )
        for verdict, kind in DECISIONS.items()
    ),
)
