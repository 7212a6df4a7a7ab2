"""Stores templates of answers, version by version."""

from typing import Any

from audit_log.decisions import EntryOfRecord, record_columns
from chassis.pages import PageSpec
from chassis.transaction import Tx
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Table, Text, or_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from citizen_reports.model.categories import Category
from citizen_reports.model.templates import Template
from citizen_reports.storage.tables import metadata

answer_templates = Table(
    "answer_templates",
    metadata,
    Column("template", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("categories", ARRAY(Text), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("text_kk", Text, nullable=False),
    Column("text_ru", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    *record_columns(),
)
_NEWEST = (
    select(answer_templates)
    .ext(distinct_on(answer_templates.c.template))
    .order_by(answer_templates.c.template, answer_templates.c.version.desc())
)


def ref_of(name: str, version: int) -> str:
    """Return the name of a version of a template in the audit log."""
    return f"answer_template:{name}/{version}"


async def newest(tx: Tx, name: str) -> Template | None:
    """Return the newest version of a template, withdrawn or not; None if there is no template of
    this name."""
    query = _NEWEST.where(answer_templates.c.template == name)
    row = (await tx.execute(query)).one_or_none()
    return to_template(row) if row else None


async def page_of_templates(tx: Tx, category: Category | None, spec: PageSpec) -> list[Template]:
    """Return a page of the newest versions that are not withdrawn, by name; with `category`, those
    that answer reports of this category."""
    current = _NEWEST.subquery()
    query = select(current).where(~current.c.withdrawn)
    if category is not None:
        fits = current.c.categories.any(category.value)
        query = query.where(or_(current.c.categories == [], fits))
    if spec.after:
        query = query.where(current.c.template > spec.after[0])
    rows = await tx.execute(query.order_by(current.c.template).limit(spec.size))
    return [to_template(row) for row in rows]


def to_row(template: Template) -> dict[str, Any]:
    """Return the row of a version of a template."""
    return {
        "template": template.name,
        "version": template.version,
        "categories": sorted(category.value for category in template.categories),
        "outcome": template.outcome,
        **{f"text_{language}": text for language, text in template.texts.items()},
        "withdrawn": template.is_withdrawn,
        "reason": template.reason,
        "changed_by": template.changed_by,
        "changed_at": template.changed_at,
    }


async def add_version(tx: Tx, template: Template, entry: EntryOfRecord) -> bool:
    """Add a version of a template, with the audit entry of the decision. Return False if another
    transaction has added this version."""
    added = insert(answer_templates).values(**to_row(template), **entry.columns)
    result = await tx.execute(added.on_conflict_do_nothing())
    return bool(result.rowcount)


def to_template(row: Any) -> Template:
    """Return the template that a row describes."""
    return Template(
        name=row.template,
        version=row.version,
        categories=frozenset(map(Category, row.categories)),
        outcome=row.outcome,
        texts={"kk": row.text_kk, "ru": row.text_ru, "en": row.text_en},
        is_withdrawn=row.withdrawn,
        reason=row.reason,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
