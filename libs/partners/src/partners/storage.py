"""The table `partners` and its queries; a migration of each service creates the table."""

from collections.abc import Iterable
from typing import Any

from chassis.transaction import Tx
from host.schema import IS_OPERATOR, IS_SERVICE, Operations, grant, has_role, protect_rows
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from partners.model import Partner, PartnerNotFound, PartnerScope, PartnerTerms, QuotaTerms

_moment = DateTime(timezone=True)
_texts = ARRAY(Text)
# Whoever may read rows, beside the service itself; the policy of the RPCs says who may write them.
READERS = ("partner_administrator", "auditor")
BY_MIGRATION = "system/migration"

partners = Table(
    "partners",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("scopes", _texts, nullable=False),
    Column("kinds", _texts, nullable=False),
    Column("calls", Integer),
    Column("calls_per_second", Double),
    Column("streams", Integer),
    Column("bytes_per_second", BigInteger),
    Column("callback_url", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("languages", _texts, nullable=False),
    Column("revoked_at", _moment),
    Column("changed_at", _moment, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("witness_key", LargeBinary, nullable=False, server_default=text("''")),
)


def install_partners(op: Operations, runtime_role: str, *, owned_by: Iterable[str]) -> None:
    """Create the table `partners` in a migration, with a row for each partner known so far.

    `owned_by` are the service's tables with a column `partner`; `runtime_role` is the service's
    database role. The known partners are those named in these tables, in the table of request ids
    and in the newest entries of the audit log. Each gets all scopes, so that a partner may do after
    the migration what it did before.
    """
    partners.create(op.get_bind())
    grant(op, partners.name, "SELECT, INSERT, UPDATE", runtime_role)
    owners = [f"SELECT partner FROM {table}" for table in owned_by]
    owners += [_BY_REQUESTS, _BY_AUDIT]
    scopes = ", ".join(f"'{scope}'" for scope in PartnerScope)
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute(
        "INSERT INTO partners (name, scopes, kinds, callback_url, contact, languages, changed_at,"
        " changed_by, version)"
        f" SELECT partner, ARRAY[{scopes}], '{{}}', '', '', '{{}}', service_now(),"
        f" '{BY_MIGRATION}', 1 FROM ({' UNION '.join(owners)}) AS owners (partner)"
        " WHERE partner IS NOT NULL"
    )
    op.execute("SELECT set_config('app.kind', '', true)")
    may_read = " OR ".join(has_role(role) for role in READERS)
    by_command = f"({IS_SERVICE} AND current_setting('app.name', true) = 'tartip-cli')"
    protect_rows(op, partners.name, visible=f"({IS_OPERATOR} AND ({may_read})) OR {by_command}")


def install_witness_keys(op: Operations) -> None:
    """Add the column `witness_key` to the table `partners`, in a migration.

    A witness is a partner that keeps and signs the signed heads (size and root) of our audit logs.
    The column has the public key of a witness, and b"" for any other partner.

    The table must exist: `install_partners` creates it. If the column exists already, as in a new
    schema, nothing is changed.
    """
    op.execute(
        "ALTER TABLE partners ADD COLUMN IF NOT EXISTS witness_key bytea NOT NULL DEFAULT ''"
    )


_BY_REQUESTS = "SELECT substr(caller, 9) FROM requests WHERE caller LIKE 'partner/%'"
# Bounded, for a log may be long; who looks up only (and writes nothing else) is found here.
_BY_AUDIT = (
    """SELECT substring(convert_from(canonical, 'UTF8') FROM '"actor":"partner/([^"]+)"')"""
    " FROM (SELECT canonical FROM audit ORDER BY position DESC LIMIT 200000) AS newest"
)
_BY_NAME = select(partners).where(partners.c.name == bindparam("name"))
_AFTER = (
    select(partners)
    .where(partners.c.name > bindparam("after"))
    .order_by(partners.c.name)
    .limit(bindparam("size", type_=Integer))
)
_ADD = insert(partners).on_conflict_do_nothing().returning(partners.c.name)


async def every_partner(tx: Tx) -> dict[str, Partner]:
    """All partners by name.

    `tx` must see all rows despite row-level security, as under the scope `SYSTEM`.
    """
    found = await tx.execute(select(partners))
    return {row.name: _partner(row) for row in found}


async def get(tx: Tx, name: str) -> Partner:
    """The partner of this name. Raises PartnerNotFound."""
    return _found((await tx.execute(_BY_NAME, {"name": name})).one_or_none())


async def get_for_update(tx: Tx, name: str) -> Partner:
    """The partner of this name, its row locked until the transaction ends.

    Raises PartnerNotFound.
    """
    return _found((await tx.execute(_BY_NAME.with_for_update(), {"name": name})).one_or_none())


async def page(tx: Tx, *, after: str, size: int) -> list[Partner]:
    """At most `size` partners ordered by name, beginning after the name `after`."""
    found = await tx.execute(_AFTER, {"after": after, "size": size})
    return [_partner(row) for row in found]


async def add(tx: Tx, partner: Partner) -> bool:
    """Insert a partner; if its name is taken, change nothing and return False."""
    added = await tx.execute(_ADD, _columns(partner))
    return added.one_or_none() is not None


async def save(tx: Tx, partner: Partner) -> None:
    """Write a changed partner to its row, which `get_for_update` must have locked before."""
    values = _columns(partner)
    name = values.pop("name")
    await tx.execute(update(partners).where(partners.c.name == name).values(values))


def _found(row: Row[Any] | None) -> Partner:
    if row is None:
        raise PartnerNotFound
    return _partner(row)


def _partner(row: Row[Any]) -> Partner:
    quota = QuotaTerms(row.calls, row.calls_per_second, row.streams, row.bytes_per_second)
    # A scope of a newer version, which this one does not know, allows nothing here.
    known = set(PartnerScope)
    scopes = tuple(PartnerScope(scope) for scope in row.scopes if scope in known)
    terms = PartnerTerms(
        scopes,
        tuple(row.kinds),
        quota,
        row.callback_url,
        row.contact,
        tuple(row.languages),
        bytes(row.witness_key),
    )
    return Partner(
        row.name, terms, row.changed_at, row.changed_by, row.version, revoked_at=row.revoked_at
    )


def _columns(partner: Partner) -> dict[str, Any]:
    terms = partner.terms
    return {
        "name": partner.name,
        "scopes": [scope.value for scope in terms.scopes],
        "kinds": list(terms.kinds),
        "calls": terms.quota.calls,
        "calls_per_second": terms.quota.calls_per_second,
        "streams": terms.quota.streams,
        "bytes_per_second": terms.quota.bytes_per_second,
        "callback_url": terms.callback_url,
        "contact": terms.contact,
        "languages": list(terms.languages),
        "revoked_at": partner.revoked_at,
        "changed_at": partner.changed_at,
        "changed_by": partner.changed_by,
        "version": partner.version,
        "witness_key": terms.witness_key,
    }
