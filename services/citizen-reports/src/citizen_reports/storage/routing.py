"""Stores versions of the routing rules; reads units by time and registered reports for a replay."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.tables import data_keys
from chassis.transaction import Tx
from sqlalchemy import ColumnElement, func, insert, select, tuple_, update

from citizen_reports.model.categories import Category
from citizen_reports.model.personnel import Unit
from citizen_reports.model.routing import Facts, Rule, RuleDays, SecrecyClass
from citizen_reports.storage.contents import REPORT, place_in
from citizen_reports.storage.personnel import to_unit
from citizen_reports.storage.tables import (
    contents,
    reports,
    routing_activations,
    routing_rules,
    routing_versions,
    units,
)

PAGE = 500
_SETS = ("categories", "classes", "regions", "districts", "languages")


@dataclass(frozen=True)
class Version:
    """A version of the routing rules. `rules` are in order; () if they were not read (in lists)."""

    version: int
    default_desk: str
    note: str
    drafted_at: datetime
    replayed_at: datetime | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Activation:
    version: int
    active_from: datetime


@dataclass(frozen=True)
class Routing:
    """How a report was routed: its facts at the registration, and the unit on its receipt."""

    number: str
    facts: Facts
    unit: str


async def add_version(
    tx: Tx, request_id: UUID, rules: Sequence[Rule], default_desk: str, note: str
) -> int:
    """Store rules, in this order, as a new version of the routing rules; return its number."""
    row = {
        "request_id": request_id,
        "default_desk": default_desk,
        "note": note,
        "drafted_at": await tx.now(),
    }
    added = insert(routing_versions).values(row).returning(routing_versions.c.version)
    version = int(await tx.scalar(added))
    for position, rule in enumerate(rules, 1):
        tx.add(routing_rules, {"version": version, "position": position, **_to_row(rule)})
    return version


async def version_drafted_by(tx: Tx, request_id: UUID) -> int:
    """Return the number of the version that was drafted by the request with this id."""
    query = select(routing_versions.c.version).where(routing_versions.c.request_id == request_id)
    return int(await tx.scalar(query))


async def find_version(tx: Tx, version: int) -> Version | None:
    """Return the version with this number, with its rules; None if there is no such version."""
    query = select(routing_versions).where(routing_versions.c.version == version)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    rules = select(routing_rules).where(routing_rules.c.version == version)
    rows = await tx.execute(rules.order_by(routing_rules.c.position))
    return _to_version(row, tuple(map(_to_rule, rows)))


async def page_of_versions(tx: Tx, *, before: int | None, size: int) -> list[Version]:
    """Return at most `size` versions with numbers below `before`, newest first, without rules."""
    query = select(routing_versions).order_by(routing_versions.c.version.desc()).limit(size)
    if before is not None:
        query = query.where(routing_versions.c.version < before)
    return [_to_version(row) for row in await tx.execute(query)]


async def note_replay(tx: Tx, version: int) -> None:
    await tx.execute(
        update(routing_versions)
        .where(routing_versions.c.version == version)
        .values(replayed_at=await tx.now())
    )


def activate(tx: Tx, version: int, active_from: datetime) -> None:
    tx.add(routing_activations, {"version": version, "active_from": active_from})


async def activations(tx: Tx) -> list[Activation]:
    """Return all activations of versions, in the order in which they take effect."""
    order = (routing_activations.c.active_from, routing_activations.c.position)
    rows = await tx.execute(select(routing_activations).order_by(*order))
    return [Activation(row.version, row.active_from) for row in rows]


async def units_at(tx: Tx, moment: datetime) -> dict[str, Unit]:
    """Return the units that exist at a moment, by name."""
    return await _units(tx, units.c.valid_from <= moment, _lasts_beyond(moment))


async def units_not_ended(tx: Tx, moment: datetime) -> dict[str, Unit]:
    """Return the units that exist at a moment or will exist after it, by name."""
    return await _units(tx, _lasts_beyond(moment))


async def units_during(tx: Tx, start: datetime, end: datetime | None) -> dict[str, Unit]:
    """Return the units that exist from `start` until `end`, by name. If `end` is None, they must
    exist at `start` and have no known end."""
    lasts = units.c.valid_until.is_(None)
    to_the_end = lasts if end is None else lasts | (units.c.valid_until >= end)
    return await _units(tx, units.c.valid_from <= start, to_the_end)


async def _units(tx: Tx, *conditions: ColumnElement[bool]) -> dict[str, Unit]:
    rows = await tx.execute(select(units).where(*conditions))
    return {row.unit: to_unit(row) for row in rows}


def _lasts_beyond(moment: datetime) -> ColumnElement[bool]:
    return units.c.valid_until.is_(None) | (units.c.valid_until > moment)


async def lock_targets(tx: Tx) -> None:
    """Take the lock under which units are changed and rules activated; hold it until `tx` ends."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("routing", 0))))


async def routed_since(
    tx: Tx, since: datetime, limit: int, *, with_kato: bool
) -> AsyncIterator[Routing]:
    """Yield the routing of at most `limit` reports registered at or after `since`, newest first.

    The facts are those of the registration. `Facts.kato`, the code of the place, is encrypted: it
    is read only with `with_kato`, and is "" otherwise or if the report's key was destroyed.
    """
    placed = reports.outerjoin(contents, contents.c.report_id == reports.c.report_id).outerjoin(
        data_keys, data_keys.c.key_id == contents.c.key_id
    )
    order = (reports.c.registered_at, reports.c.report_id)
    facts = (reports.c.category, reports.c.reported_category, reports.c.language, *order)
    receipt = (reports.c.number, reports.c.place_abroad, reports.c.receipt_unit)
    place = (contents.c.key_id, contents.c.place, data_keys.c.wrapped) if with_kato else ()
    query = select(*facts, *receipt, *place).select_from(placed if with_kato else reports)
    query = query.where(reports.c.registered_at >= since).order_by(*(one.desc() for one in order))
    after: tuple[Any, ...] = ()
    for start in range(0, limit, PAGE):
        page = query.limit(min(PAGE, limit - start))
        rows = (await tx.execute(page.where(tuple_(*order) < after) if after else page)).all()
        for row in rows:
            yield _to_routing(tx, row, with_kato=with_kato)
        if len(rows) < PAGE:
            return
        after = (rows[-1].registered_at, rows[-1].report_id)


def _to_routing(tx: Tx, row: Any, *, with_kato: bool) -> Routing:
    kato = ""
    if with_kato and row.key_id is not None:
        key = tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)
        kato = place_in(row, key).kato if key else ""
    region = f"{row.number[:2]}-{row.number[2:4]}"  # it may have moved to another one since
    facts = Facts(
        Category(row.reported_category or row.category),
        region,
        kato,
        row.language,
        row.registered_at,
        row.place_abroad,
    )
    return Routing(row.number, facts, row.receipt_unit)


def _to_row(rule: Rule) -> dict[str, Any]:
    sets = {name: sorted(str(one) for one in getattr(rule, name)) for name in _SETS}
    hours = {"from_hour": rule.from_hour, "until_hour": rule.until_hour}
    target = {"desk": rule.desk, "unit": rule.unit}
    return {"name": rule.name, **sets, **hours, "days": rule.days.value, **target}


def _to_rule(row: Any) -> Rule:
    return Rule(
        name=row.name,
        categories=frozenset(map(Category, row.categories)),
        classes=frozenset(map(SecrecyClass, row.classes)),
        regions=frozenset(row.regions),
        districts=tuple(row.districts),
        languages=frozenset(row.languages),
        from_hour=row.from_hour,
        until_hour=row.until_hour,
        days=RuleDays(row.days),
        desk=row.desk,
        unit=row.unit,
    )


def _to_version(row: Any, rules: tuple[Rule, ...] = ()) -> Version:
    return Version(row.version, row.default_desk, row.note, row.drafted_at, row.replayed_at, rules)
