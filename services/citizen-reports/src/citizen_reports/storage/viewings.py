"""Reads from the audit log who looked at a report. An index (migration 0022) finds the entries
about readings of one report."""

from chassis.audit_entry import AuditEntry, read_entry
from chassis.tables import audit
from chassis.transaction import Tx
from sqlalchemy import literal_column, select, text

# The actions of the entries that record a reading.
READ, OPEN_EVIDENCE = "read", "open_evidence"
# How the canonical form of such an entry begins (its names stand in order), and the report in it.
# `encode` leaves what is ASCII; a quotation mark within a value stands behind a backslash.
_STARTS = [f'{{"action":"{action}",' for action in (READ, OPEN_EVIDENCE)]
IS_VIEWING = " OR ".join(
    f"substring(canonical FROM 1 FOR {len(start)}) = '{start}'::bytea" for start in _STARTS
)
VIEWED = """substring(encode(canonical, 'escape') FROM '"object":"report:([0-9A-Za-z-]+)"')"""


async def viewings_of(
    tx: Tx, name: str, *, after: int, size: int
) -> tuple[list[AuditEntry], list[int]]:
    """Return at most `size` entries about readings of a report, in the order in which they were
    written, with their positions in the log. `name` is the report's number; entries up to the
    position `after` are left out."""
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
