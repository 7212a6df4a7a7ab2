"""Stores the versions of answer templates in the table `answer_templates`; none is ever changed."""

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
    """Return the name that the audit log uses for a version: "answer_template:<name>/<version>"."""
    return f"answer_template:{name}/{version}"


async def newest(tx: Tx, name: str) -> Template | None:
    """Return the newest version of the answer template `name`, even if it withdraws the template;
    None if there is no template of this name."""
    query = _NEWEST.where(answer_templates.c.template == name)
    row = (await tx.execute(query)).one_or_none()
    return to_template(row) if row else None


async def page_of_templates(tx: Tx, category: Category | None, spec: PageSpec) -> list[Template]:
    """Return a page of the answer templates that are not withdrawn, each in its newest version, in
    order of name. A `category` selects the templates that may answer its reports; None, all."""
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
    """Return a version's row of `answer_templates`, without the columns about its audit entry."""
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
    """Insert a version of an answer template, with the audit entry of the decision. Return False,
    and insert nothing, if this version of the template exists already."""
    added = insert(answer_templates).values(**to_row(template), **entry.columns)
    result = await tx.execute(added.on_conflict_do_nothing())
    return bool(result.rowcount)


def to_template(row: Any) -> Template:
    """Return the version of an answer template that a row of `answer_templates` contains."""
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
