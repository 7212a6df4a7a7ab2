"""Reads from the audit log the entries about viewings of a report: who was shown its text or a
file of it. An index (migration 0022) finds the entries of one report."""

from chassis.audit_entry import AuditEntry, read_entry
from chassis.tables import audit
from chassis.transaction import Tx
from sqlalchemy import literal_column, select, text

# The actions of the audit entries that record a viewing.
READ, OPEN_EVIDENCE = "read", "open_evidence"
# SQL for the beginning of such an entry's canonical form (sorted JSON), and for the report in it.
# `encode` leaves ASCII as it is; a quotation mark within a value is escaped by a backslash.
_STARTS = [f'{{"action":"{action}",' for action in (READ, OPEN_EVIDENCE)]
IS_VIEWING = " OR ".join(
    f"substring(canonical FROM 1 FOR {len(start)}) = '{start}'::bytea" for start in _STARTS
)
VIEWED = """substring(encode(canonical, 'escape') FROM '"object":"report:([0-9A-Za-z-]+)"')"""


async def viewings_of(
    tx: Tx, name: str, *, after: int, size: int
) -> tuple[list[AuditEntry], list[int]]:
    """Return at most `size` audit entries about viewings of a report, in the order of the log, and
    their positions in the log. `name` is the report's number, or its id before submission. Entries
    up to the position `after` are left out."""
    of_report = literal_column(VIEWED) == name
    query = (
        select(audit.c.position, audit.c.canonical)
        .where(text(f"({IS_VIEWING})"), of_report, audit.c.position > after)
        .order_by(audit.c.position)
        .limit(size)
    )
    rows = (await tx.execute(query)).all()
    found = [(read_entry(bytes(row.canonical)), row.position) for row in rows]
    entries = [entry for entry, _ in found if entry is not None]
    return entries, [position for entry, position in found if entry is not None]
