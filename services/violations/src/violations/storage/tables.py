"""SQLAlchemy tables of this service. Common tables, such as the outbox, are in `chassis`."""

from audit_log.decisions import record_columns
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

KEY_CLASS = "plate"
_moment = DateTime(timezone=True)
_metadata = MetaData()

reads = Table(
    "reads",
    _metadata,
    Column("read_id", Uuid, primary_key=True),
    Column("camera_id", Uuid),
    Column("captured_at", _moment),
    Column("key_id", Uuid),
    Column("plate_sealed", LargeBinary),
    Column("readings", JSONB),
    Column("evidence_sha256", Text),
    Column("models_fingerprint", Text),
    Column("story", Text),
    Column("received_at", _moment),
    Column("outcome", Text),
    Column("assessed_at", _moment),
    Column("held_by", Uuid),
    Column("arrived_at", _moment),
    Column("shown_sha256", Text),
)

violations = Table(
    "violations",
    _metadata,
    Column("violation_id", Uuid, primary_key=True),
    Column("state", Text),
    Column("source", Text),
    Column("region", Text),
    Column("camera_id", Uuid),
    Column("read_id", Uuid),
    Column("report_id", Uuid),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("occurred_at", _moment),
    Column("detected_at", _moment),
    Column("key_id", Uuid),
    Column("address_sealed", LargeBinary),
    Column("plate_sealed", LargeBinary),
    Column("plate_index", LargeBinary),
    Column("rule", Text),
    Column("offence_code", Text),
    Column("article", Text),
    Column("rules_version", Text),
    Column("rules_sha256", Text),
    Column("dedupe_seconds", Integer),
    Column("readings", JSONB(none_as_null=True)),
    Column("over_kmh", Numeric),
    Column("device", JSONB(none_as_null=True)),
    Column("evidence_sha256", ARRAY(Text)),
    Column("models_fingerprint", Text),
    Column("hold", Text),
    Column("version", BigInteger),
    Column("story", Text),
    Column("caution", Text),
    Column("shown_sha256", ARRAY(Text)),
    *record_columns(),
)

degradations = Table(
    "degradations",
    _metadata,
    Column("degradation_id", Uuid, primary_key=True),
    Column("since", _moment),
    Column("told_at", _moment),
    Column("recovered_at", _moment),
)

decisions = Table(
    "decisions",
    _metadata,
    Column("decision_id", Uuid, primary_key=True),
    Column("violation_id", Uuid),
    Column("region", Text),
    Column("verdict", Text),
    Column("officer", Text),
    Column("decided_at", _moment),
    Column("reason_sealed", LargeBinary),
    Column("canonical_sealed", LargeBinary),
    Column("signature", LargeBinary),
    Column("certificate", LargeBinary),
    *record_columns(),
)

# A piece of evidence belongs to exactly one violation.
evidence_uses = Table(
    "evidence_uses",
    _metadata,
    Column("sha256", Text, primary_key=True),
    Column("violation_id", Uuid),
)

# One row for each direction. `region` is that of violation_id; `holds` where both were measured.
conflicts = Table(
    "conflicts",
    _metadata,
    Column("violation_id", Uuid, primary_key=True),
    Column("conflicting_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("holds", Boolean),
    Column("found_at", _moment),
)
