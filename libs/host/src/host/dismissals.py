"""The table of dismissed dead letters: failed events that a person decided not to handle any more.

Only `tartip redrive` writes and reads it, as the owner of the schema; no process of a service does.
"""

from sqlalchemy import Column, DateTime, MetaData, Table, Text

from host.schema import Operations

dismissed_letters = Table(
    "dismissed_letters",
    MetaData(),
    Column("event_id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("died_at", DateTime(timezone=True), nullable=False),
    Column("dismissed_at", DateTime(timezone=True), nullable=False),
    Column("dismissed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)


def install_dismissals(op: Operations) -> None:
    """Create the table `dismissed_letters` in a service's migration."""
    dismissed_letters.create(op.get_bind())
