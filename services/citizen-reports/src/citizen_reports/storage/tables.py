"""SQLAlchemy tables of this service; two more are in `answer_templates` and `waiting_answers`."""

from audit_log.decisions import record_columns
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()
_moment = DateTime(timezone=True)

reports = Table(
    "reports",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("category", Text, nullable=False),
    # The category that the app gave; NULL unless an operator has raised the report to another one.
    Column("reported_category", Text),
    Column("complaint", Boolean, Computed("category = 'complaint_about_officer'")),
    Column("region", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("occurred_at", _moment, nullable=False),
    Column("opened_at", _moment, nullable=False),
    Column("story", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("cell", Text, nullable=False),
    Column("place_abroad", Boolean, nullable=False),
    Column("number", Text),
    Column("registered_at", _moment),
    Column("receipt_due_at", _moment),
    Column("receipt_rule", Text),
    Column("receipt_unit", Text),
    Column("content_sha256", LargeBinary),
    Column("due_at", _moment),
    Column("deadline_rule", Text),
    Column("deadline_number", Integer, nullable=False),
    Column("waits_since", _moment),
    Column("escalation_step", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("answered_at", _moment),
    Column("disputed_at", _moment),
    Column("outcome", Text, nullable=False),
    Column("offence_code", Text, nullable=False),
    Column("duplicate_of", Uuid),
    Column("response_due_at", _moment),
    Column("response_rule", Text),
    Column("response_ended_at", _moment),
    Column("arrived_at", _moment),
    Column("response_step", Integer),
    Column("position", Text),
    Column("taken_at", _moment),
    Column("answered_by", Text),
    Column("closing_outcome", Text),
    Column("extended_at", _moment),
    Column("questions", Integer),
    Column("reminders", Integer),
    Column("waits_until", _moment),
    Column("waited_seconds", BigInteger),
    Column("warned_number", Integer),
    # True or NULL, never False, so that reports from before this column keep their hash.
    Column("silent_alarm", Boolean),
    Column("urgency", Text),
    Column("waiting_answer", Uuid),
    Column("parent", Uuid),
    Column("is_parent", Boolean),
    *record_columns(),
)

reporters = Table(
    "reporters",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

contents = Table(
    "contents",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("place", LargeBinary, nullable=False),
    Column("officer", LargeBinary, nullable=False),
    Column("question", LargeBinary),
    Column("answer", LargeBinary),
    Column("plate", LargeBinary),
    # The audit entry of the answer.
    *record_columns(),
)

steps = Table(
    "steps",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("report_id", Uuid, nullable=False),
    # NULL in steps that are older than this column.
    Column("partner", Text),
    Column("at", _moment, nullable=False),
    Column("status", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", LargeBinary),
)

# Cameras that may have seen what is reported, each with the hold on its evidence.
report_cameras = Table(
    "report_cameras",
    metadata,
    Column("hold_id", Uuid, primary_key=True),
    Column("report_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("held_at", _moment),
    Column("frames", Integer, nullable=False),
    Column("released_at", _moment),
)

# Copies of photographs and first frames in which nobody can be recognised.
blurred_forms = Table(
    "blurred_forms",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
    Column("sha256", Text, nullable=False),
    # The encrypted picture; NULL once it is in the evidence store.
    Column("sealed", LargeBinary),
)

# Plates that a model read in a photograph of a report.
proposed_plates = Table(
    "proposed_plates",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# Urgency reasons: dangers, with the reporter's words that mean them.
urgency_reasons = Table(
    "urgency_reasons",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("report_id", Uuid, nullable=False),
    Column("partner", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# Keyed hashes of the stems of a report's text, and of the index's version.
report_stems = Table(
    "report_stems",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("stem", LargeBinary, primary_key=True),
    # The secrecy class of the report: "open" or "personal".
    Column("class", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("registered_at", _moment, nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
    Column("position", BigInteger, Identity(always=True)),
    Column("total_bytes", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("received_bytes", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("evidence_sha256", Text, nullable=False),
    Column("shown_sha256", Text, nullable=False),
    Column("refused_reason", Text, nullable=False),
    # Hash, size and media type of the clean form; "" and 0 before the clean form is made.
    Column("clean_sha256", Text, nullable=False),
    Column("clean_bytes", Integer, nullable=False),
    Column("clean_type", Text, nullable=False),
    # The hash of the first frame of a film; "" until the frame is in the evidence store.
    Column("first_frame_sha256", Text, nullable=False),
)

# Pieces of originals and of clean forms, until the files are in the evidence store.
media_chunks, clean_chunks = (
    Table(
        name,
        metadata,
        Column("report_id", Uuid, primary_key=True),
        Column("media_id", Uuid, primary_key=True),
        Column("start", Integer, primary_key=True),
        Column("sealed", LargeBinary, nullable=False),
    )
    for name in ("media_chunks", "clean_chunks")
)

# First frames of films, until they are in the evidence store.
first_frames = Table(
    "first_frames",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# When and where a file was taken; shown only to those who may see who reported.
media_taken = Table(
    "media_taken",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# Files that the app took back before it submitted the report.
dropped_media = Table(
    "dropped_media",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("media_id", Uuid, primary_key=True),
)

changes = Table(
    "changes",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("partner", Text, nullable=False),
    # The number among the partner's changes; NULL until a later transaction assigns it.
    Column("sequence", BigInteger),
    Column("report_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("changed_at", _moment, nullable=False),
)

partner_sequences = Table(
    "partner_sequences",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

report_numbers = Table("report_numbers", metadata, Column("number", Text, primary_key=True))

units = Table(
    "units",
    metadata,
    Column("unit", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("parent", Text),
    Column("region", Text, nullable=False),
    Column("name_kk", Text, nullable=False),
    Column("name_ru", Text, nullable=False),
    Column("valid_from", _moment, nullable=False),
    Column("valid_until", _moment),
)

officers = Table(
    "officers",
    metadata,
    Column("officer_id", Uuid, primary_key=True),
    Column("log_in", Text),
    Column("badge_index", LargeBinary),
    Column("key_id", Uuid, nullable=False),
    # Badge and names, encrypted with the officer's key.
    Column("sealed", LargeBinary, nullable=False),
)

officer_words = Table(
    "officer_words",
    metadata,
    Column("officer_id", Uuid, primary_key=True),
    # Keyed hash of a word by which a complaint may mean the officer.
    Column("word", LargeBinary, primary_key=True),
)

postings = Table(
    "postings",
    metadata,
    Column("posting_id", Uuid, primary_key=True),
    Column("officer_id", Uuid, nullable=False),
    Column("unit", Text, nullable=False),
    Column("starts_at", _moment, nullable=False),
    Column("ends_at", _moment),
)

complaint_subjects = Table(
    "complaint_subjects",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("officer_id", Uuid),
    Column("unit", Text),
    Column("settled_at", _moment, nullable=False),
    *record_columns(),
)

complaint_candidates = Table(
    "complaint_candidates",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("officer_id", Uuid, primary_key=True),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("secret_id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("ends_at", _moment),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("partner", Text, primary_key=True),
    # The number of the newest change about which a webhook was delivered to the partner.
    Column("told", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _moment, nullable=False),
    Column("last_error", Text, nullable=False),
)

routing_versions = Table(
    "routing_versions",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    # The id of the request that drafted this version.
    Column("request_id", Uuid, nullable=False),
    Column("default_desk", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("drafted_at", _moment, nullable=False),
    Column("replayed_at", _moment),
)

routing_rules = Table(
    "routing_rules",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("categories", ARRAY(Text), nullable=False),
    Column("classes", ARRAY(Text), nullable=False),
    Column("regions", ARRAY(Text), nullable=False),
    Column("districts", ARRAY(Text), nullable=False),
    Column("languages", ARRAY(Text), nullable=False),
    Column("from_hour", Integer, nullable=False),
    Column("until_hour", Integer, nullable=False),
    Column("days", Text, nullable=False),
    Column("desk", Text, nullable=False),
    Column("unit", Text, nullable=False),
)

routing_activations = Table(
    "routing_activations",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("active_from", _moment, nullable=False),
)

# Parts of reports that were erased because their retention term had passed.
report_erasures = Table(
    "report_erasures",
    metadata,
    Column("report_id", Uuid, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("erased_at", _moment, nullable=False),
    Column("audit_entry", Uuid, nullable=False),
)

# Holds of reports, which the law wants to be kept beyond their retention term.
report_holds = Table(
    "report_holds",
    metadata,
    Column("hold_id", Uuid, primary_key=True),
    Column("report_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_at", _moment, nullable=False),
    Column("ends_at", _moment, nullable=False),
    Column("lifted_at", _moment),
)
