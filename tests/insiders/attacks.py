"""What somebody with a role of the database can do around a decision, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass

DESTROY = "UPDATE data_keys SET wrapped = NULL, destroyed_at = service_now()"


@dataclass(frozen=True)
class Attack:
    """Who does what to the rows of a settled decision, and what `tartip verify` says of it.

    `$1`, `$2` and `$3` are the ids of the decision's entry, event and key, `$4` the key of its
    scheduled work; `undone` is run by a superuser.
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
    "an event marked with a number that its stream has deleted": Attack(
        "work",
        "UPDATE outbox SET stream_sequence = 1 WHERE event_id = $2",
        "UPDATE outbox SET published_at = NULL WHERE event_id = $2",
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
    "work marked as done": Attack(
        "work",
        "UPDATE work SET done_at = service_now() WHERE key = $4",
        "UPDATE work SET done_at = NULL WHERE key = $4",
        "WORK_ALTERED work:{work}",
    ),
    "work moved by a call": Attack(
        "calls",
        "UPDATE work SET due_at = due_at + interval '365 days' WHERE key = $4",
        "UPDATE work SET due_at = due_at - interval '365 days' WHERE key = $4",
        "WORK_ALTERED work:{work}",
    ),
    "work put off for ever": Attack(
        "superuser",
        "UPDATE work SET due_at = 'infinity' WHERE key = $4",
        "DELETE FROM work WHERE key = $4",
        "WORK_ALTERED work:{work}",
    ),
    "work leased for ever": Attack(
        "work",
        "UPDATE work SET leased_until = 'infinity' WHERE key = $4",
        "UPDATE work SET leased_until = NULL WHERE key = $4",
        "WORK_HELD work:{work}",
    ),
    "work moved to another record by the owner": Attack(
        "owner",
        "UPDATE work SET key = $1::text WHERE key = $4",
        "UPDATE work SET key = $4 WHERE key = $1::text",
        "WORK_ALTERED work:{work}",
    ),
    "work added by a call": Attack(
        "calls",
        "INSERT INTO work (kind, key, due_at, traceparent, story)"
        " VALUES ('watched', $1::text, service_now() + interval '1 day', '', '')",
        "DELETE FROM work WHERE key = $1::text",
        "WORK_ALTERED work:",
    ),
    "work added with the code of other work": Attack(
        "calls",
        "INSERT INTO work (kind, key, due_at, traceparent, story, mac)"
        " SELECT kind, $1::text, due_at, '', '', mac FROM work WHERE key = $4",
        "DELETE FROM work WHERE key = $1::text",
        "WORK_ALTERED work:",
    ),
    "an event marked as handled": Attack(
        "work",
        "INSERT INTO inbox (event_id, subject) VALUES ($1, 'cameras.v1.changed')",
        "DELETE FROM inbox WHERE event_id = $1",
        "EVENT_NOT_HANDLED event:{entry}",
    ),
}
