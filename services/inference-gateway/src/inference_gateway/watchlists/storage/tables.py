"""The tables of watch-lists, candidates and reviews."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Double,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

KEY_CLASS = "face_templates"

OFFICER = "watchlist_officer"

_metadata = MetaData()

_moment = DateTime(timezone=True)

entries = Table(
    "watch_entries",
    _metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("number", BigInteger),
    Column("region", Text),
    Column("basis", Text),
    Column("case_number", Text),
    Column("purpose", Text),
    Column("requested_by", Text),
    Column("requested_at", _moment),
    Column("expires_at", _moment),
    Column("approved_by", Text),
    Column("approved_at", _moment),
    Column("state", Text),
    Column("key_id", Uuid),
    Column("template_sealed", LargeBinary),
    Column("closed_by", Text),
    Column("closed_at", _moment),
    Column("close_reason", Text),
    Column("change", BigInteger),
    Column("story", Text),
)

changes = Table("watch_changes", _metadata, Column("version", BigInteger))

candidates = Table(
    "watch_candidates",
    _metadata,
    Column("candidate_id", Uuid, primary_key=True),
    Column("entry_id", Uuid),
    Column("camera_id", Uuid),
    Column("region", Text),
    Column("captured_at", _moment),
    Column("last_seen_at", _moment),
    Column("closeness", Double),
    Column("box", ARRAY(Double)),
    Column("evidence_sha256", Text),
    Column("models_fingerprint", Text),
    Column("state", Text),
    Column("found_at", _moment),
    Column("decided_at", _moment),
    Column("forgotten_at", _moment),
)

reviews = Table(
    "watch_reviews",
    _metadata,
    Column("candidate_id", Uuid, primary_key=True),
    Column("reviewer", Text, primary_key=True),
    Column("region", Text),
    Column("verdict", Text),
    Column("reason", Text),
    Column("reviewed_at", _moment),
)
