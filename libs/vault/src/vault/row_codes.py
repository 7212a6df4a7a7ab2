"""Message authentication codes by which a service recognises rows that it wrote itself.

Whoever has one of the service's log-ins to the database can mark work as done, move work, or mark
an event as published or handled. But the code of the changed row can be computed only with the
service's keys. `tartip verify` compares the codes (see `audit_log.record_checks`).
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vault.keyring import Keyring

KEY_CLASS = "rows"


def of_work(keyring: Keyring, kind: str, key: str, due_at: datetime, *, done: bool) -> bytes:
    """The code of a row of `tables.work`, 32 bytes, for this due time and for done or not done."""
    state = "done" if done else "due"
    return _code(keyring, "work", state, due_at.astimezone(UTC).isoformat(), kind, key)


def is_own_work(keyring: Keyring, row: Any) -> bool:
    """Whether the service itself scheduled, moved or ended the work of a row of `tables.work`.

    A row that is older than the codes has no code. It counts as the service's own if it is
    unchanged since the codes were introduced: still done, or still not done and due at the same
    moment.
    """
    done = row.done_at is not None
    if row.mac is None and not row.needs_mac:
        return bool(row.due_before_mac == (None if done else row.due_at))
    return bool(row.mac == of_work(keyring, row.kind, row.key, row.due_at, done=done))


def of_handled(keyring: Keyring, event_id: UUID, subject: str) -> bytes:
    """The code of a row of `tables.inbox`, 32 bytes."""
    return _code(keyring, "inbox", str(event_id), subject)


def of_sent(keyring: Keyring, event_id: UUID, stream_sequence: int) -> bytes:
    """The code of a row of `tables.outbox` that is marked as published, 32 bytes."""
    return _code(keyring, "outbox", str(event_id), str(stream_sequence))


def is_sent(keyring: Keyring, row: Any) -> bool:
    """Whether the service itself marked a row of `tables.outbox` as published.

    A row that is older than the codes counts as marked by the service if it has a sequence number.
    """
    if row.stream_sequence is None:
        return False
    if row.mac is None and not row.needs_mac:
        return True
    return bool(row.mac == of_sent(keyring, row.event_id, row.stream_sequence))


def _code(keyring: Keyring, *parts: str) -> bytes:
    return keyring.mac(KEY_CLASS, "\0".join(parts).encode())
