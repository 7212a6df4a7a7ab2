"""SQLAlchemy tables, as the migrations create them."""

from audit_log.decisions import record_columns
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
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

fines = Table(
    "fines",
    metadata,
    Column("number", Text, primary_key=True),
    Column("violation_id", Text, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("offence_code", Text, nullable=False),
    Column("occurred_at", _moment, nullable=False),
    Column("confirmed_at", _moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("hold_reason", Text, nullable=False),
    Column("conflicts", ARRAY(Text), nullable=False),
    Column("article", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("discounted_minor", BigInteger),
    Column("base_value_minor", BigInteger),
    Column("base_values", Integer),
    Column("tariff_version", Text),
    Column("issued_at", _moment),
    Column("owner_key_id", Uuid),
    Column("owner_index", LargeBinary),
    Column("plate_index", LargeBinary),
    Column("particulars", LargeBinary),
    Column("delivered_at", _moment),
    Column("delivered_on", Date),
    Column("discount_until", Date),
    Column("considered_on", Date),
    Column("appeal_until", Date),
    Column("in_force_on", Date),
    Column("voluntary_until", Date),
    Column("enforcement_by", Date),
    Column("day_count", Text),
    Column("calendar_version", Text),
    Column("cancel_key_id", Uuid),
    Column("cancel_reason", LargeBinary),
    *record_columns(),
)

entries = Table(
    "entries",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("entry_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("posted_at", _moment, nullable=False),
    Column("reverses", Uuid),
    *record_columns(),
)

payments = Table(
    "payments",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("payment_id", Uuid, primary_key=True),
    Column("number", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("posted_at", _moment, nullable=False),
    Column("entry_id", Uuid, nullable=False),
    *record_columns(),
)

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("number", Text, nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("payment_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("refund_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("refunded_at", _moment, nullable=False),
    Column("reason", Text, nullable=False),
    *record_columns(),
)
