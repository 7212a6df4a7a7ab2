"""What somebody with a role of the database can do around a decision, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass

DESTROY = "UPDATE data_keys SET wrapped = NULL, destroyed_at = service_now()"


@dataclass(frozen=True)
class Attack:
    """Who does what to the rows of a settled decision, and what `tartip verify` says of it.

    `$1`, `$2` and `$3` are the ids of the decision's entry, event and key; `undone` is run by a
    superuser.
    """

    role: str
    done: str
    undone: str
    found: str


ATTACKS = {
    "an entry that never waited": Attack(
        "calls",
        "INSERT INTO audit (entry_id, canonical) VALUES (md5($1::text)::uuid, '{}')",
        "DELETE FROM audit WHERE entry_id = md5($1::text)::uuid",
        "ENTRY_UNSEALED entry:",
    ),
    "an event marked with another number": Attack(
        "work",
        "UPDATE outbox SET stream_sequence = stream_sequence + 1000 WHERE event_id = $2",
        "UPDATE outbox SET stream_sequence = stream_sequence - 1000 WHERE event_id = $2",
        "EVENT_NOT_SENT event:{event}",
    ),
    "a key destroyed without an entry": Attack(
        "work",
        f"{DESTROY} WHERE key_id = $3",
        "DELETE FROM data_keys WHERE key_id = $3",
        "KEY_DESTROYED key:{key}",
    ),
    "a key destroyed under another's entry": Attack(
        "work",
        f"{DESTROY}, destroyed_by = $1 WHERE key_id = $3",
        "DELETE FROM data_keys WHERE key_id = $3",
        "KEY_DESTROYED key:{key}",
    ),
    "a false head": Attack(
        "seal",
        "INSERT INTO audit_heads SELECT tree_size + 1000, root, frontier, sealed_at, signature,"
        " public_key FROM audit_heads ORDER BY tree_size DESC LIMIT 1",
        "DELETE FROM audit_heads WHERE tree_size >= 1000",
        "entries under a head of",
    ),
    "an event deleted by the owner": Attack(
        "owner",
        "UPDATE outbox SET event_id = gen_random_uuid() WHERE event_id = $2",
        "UPDATE outbox SET event_id = $2 WHERE audit_entries = $1::text",
        "EVENT_MISSING event:{event}",
    ),
    "an entry changed by the owner": Attack(
        "owner",
        "UPDATE audit SET canonical = canonical || ' ' WHERE entry_id = $1",
        "UPDATE audit SET canonical = substring(canonical FROM 1 FOR length(canonical) - 1)"
        " WHERE entry_id = $1",
        "the entries do not give the root that was signed",
    ),
    "an entry deleted by a superuser": Attack(
        "superuser",
        "UPDATE audit SET entry_id = md5($1::text)::uuid WHERE entry_id = $1",
        "UPDATE audit SET entry_id = $1 WHERE entry_id = md5($1::text)::uuid",
        "ENTRY_MISSING entry:{entry}",
    ),
    "an event marked as published by a superuser": Attack(
        "superuser",
        "UPDATE outbox SET stream_sequence = NULL WHERE event_id = $2",
        "UPDATE outbox SET published_at = NULL WHERE event_id = $2",
        "EVENT_NOT_SENT event:{event}",
    ),
}
