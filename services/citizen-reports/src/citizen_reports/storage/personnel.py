"""Stores units, officers and postings. Badge and names of an officer are encrypted with his key."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import ARRAY, LargeBinary, Row, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from statements.reads import Read
from vault.keyring import DataKey, Keyring

from citizen_reports.model.officer_words import words_of_officer, words_of_text
from citizen_reports.model.personnel import Officer, OfficerName, Posting, Unit, UnitKind
from citizen_reports.model.refusals import BadgeTaken, LogInTaken, OfficerNotFound, PostingNotFound
from citizen_reports.storage.tables import officer_words, officers, postings, units

OFFICER = "officer"
# Names of unique constraints of the table `officers`.
LOG_IN_KEY, BADGE_KEY = "officers_log_in_key", "officers_badge_index_key"
_MEANT = Read(
    select(officer_words.c.officer_id)
    .distinct()
    .where(officer_words.c.word == func.any(bindparam("words", type_=ARRAY(LargeBinary))))
)


async def meant_by(db: Database, text: str) -> list[UUID]:
    """Return the ids of all officers whom a text may mean, by log-in, badge or family name."""
    words = [_index(db.keyring, word) for word in sorted(words_of_text(text))]
    return [row.officer_id for row in await db.read(SYSTEM, _MEANT, words=words)]


async def put_unit(tx: Tx, unit: Unit) -> None:
    """Insert a unit; if there is a unit of this name (`unit.unit`), replace its other fields."""
    row = {**asdict(unit), "kind": unit.kind.value, "parent": unit.parent or None}
    added = insert(units).values(row)
    changed = {name: added.excluded[name] for name in row if name != "unit"}
    await tx.execute(added.on_conflict_do_update(index_elements=["unit"], set_=changed))


async def find_unit(tx: Tx, name: str) -> Unit | None:
    row = (await tx.execute(select(units).where(units.c.unit == name))).one_or_none()
    return to_unit(row) if row else None


async def units_above(tx: Tx, name: str) -> set[str]:
    """Return the names of the unit `name` and all units above; empty if there is no such unit."""
    above = select(units.c.unit, units.c.parent).where(units.c.unit == name).cte(recursive=True)
    parent = units.alias("parent")
    above = above.union(
        select(parent.c.unit, parent.c.parent).where(parent.c.unit == above.c.parent)
    )
    return set((await tx.execute(select(above.c.unit))).scalars())


async def page_of_units(tx: Tx, *, after: str, size: int) -> list[Unit]:
    """Return at most `size` units in order of name, beginning after the name `after`."""
    query = select(units).where(units.c.unit > after).order_by(units.c.unit).limit(size)
    return [to_unit(row) for row in await tx.execute(query)]


async def put_officer(tx: Tx, officer: Officer) -> None:
    """Insert an officer; if an officer has this id, replace his log-in, badge and names. Postings
    are not stored. Raises LogInTaken or BadgeTaken if another officer has the log-in or badge."""
    key_id = await tx.scalar(
        select(officers.c.key_id).where(officers.c.officer_id == officer.officer_id)
    )
    key = await (tx.keys.get(OFFICER, key_id) if key_id else tx.keys.new(OFFICER))
    badge = tx.keys.blind_index(OFFICER, "badge", officer.badge.casefold())
    row = {
        "officer_id": officer.officer_id,
        "log_in": officer.log_in or None,
        "badge_index": badge if officer.badge else None,
        "key_id": key.key_id,
        "sealed": _sealed(officer, key),
    }
    added = insert(officers).values(row)
    changed = {name: added.excluded[name] for name in ("log_in", "badge_index", "sealed")}
    try:
        await tx.execute(added.on_conflict_do_update(index_elements=["officer_id"], set_=changed))
    except IntegrityError as error:
        raise _taken(error) from None
    await tx.execute(delete(officer_words).where(officer_words.c.officer_id == officer.officer_id))
    for word in sorted(words_of_officer(officer)):
        index = tx.keys.blind_index(OFFICER, "word", word)
        tx.add(officer_words, {"officer_id": officer.officer_id, "word": index})


async def officer_with_log_in(tx: Tx, log_in: str) -> UUID | None:
    """Return the id of the officer with this log-in; None if there is none."""
    query = select(officers.c.officer_id).where(officers.c.log_in == log_in)
    found: UUID | None = await tx.scalar(query)
    return found


async def log_in_of(tx: Tx, officer_id: UUID) -> str:
    """Return the log-in of an officer; "" if he has none, or if there is no such officer."""
    query = select(officers.c.log_in).where(officers.c.officer_id == officer_id)
    return await tx.scalar(query) or ""


async def officer_with_id(tx: Tx, officer_id: UUID) -> Officer:
    """Return the officer with this id, with all of his postings. Raises OfficerNotFound."""
    found = await _officers(tx, _OFFICERS.where(officers.c.officer_id == officer_id))
    if not found:
        raise OfficerNotFound
    return found[0]


async def officers_with_ids(tx: Tx, officer_ids: Iterable[UUID]) -> list[Officer]:
    """Return the officers who have one of these ids, with all of their postings, in order of id."""
    wanted = officers.c.officer_id.in_(list(officer_ids))
    return await _officers(tx, _OFFICERS.where(wanted).order_by(officers.c.officer_id))


async def page_of_officers(tx: Tx, *, unit: str, after: UUID | None, size: int) -> list[Officer]:
    """Return at most `size` officers with their postings, in order of id, beginning after the id
    `after`, if any. A `unit` selects officers with any posting to it, ended or not; "", all."""
    query = _OFFICERS.order_by(officers.c.officer_id).limit(size)
    if after is not None:
        query = query.where(officers.c.officer_id > after)
    if unit:
        served = select(postings.c.officer_id).where(postings.c.unit == unit)
        query = query.where(officers.c.officer_id.in_(served))
    return await _officers(tx, query)


def add_posting(tx: Tx, officer_id: UUID, posting: Posting) -> None:
    tx.add(postings, {**asdict(posting), "officer_id": officer_id})


async def posting_for_update(tx: Tx, posting_id: UUID) -> tuple[UUID, Posting]:
    """Lock a posting's row; return its officer's id and the posting. Raises PostingNotFound."""
    query = select(postings).where(postings.c.posting_id == posting_id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise PostingNotFound
    return row.officer_id, _to_posting(row)


async def end_posting(tx: Tx, posting_id: UUID, ends_at: datetime) -> None:
    await tx.execute(
        update(postings).where(postings.c.posting_id == posting_id).values(ends_at=ends_at)
    )


async def end_postings_to(tx: Tx, unit: str, ends_at: datetime) -> list[Row[Any]]:
    """Let the postings to a unit end at `ends_at` if they would last longer. A posting that begins
    later ends at its beginning. Return the changed rows of `postings`."""
    lasts = postings.c.ends_at.is_(None) | (postings.c.ends_at > ends_at)
    ended = (
        update(postings)
        .where(postings.c.unit == unit, lasts)
        .values(ends_at=func.greatest(postings.c.starts_at, ends_at))
        .returning(postings)
    )
    return list((await tx.execute(ended)).all())


_OFFICERS: Select[Any] = select(officers, data_keys.c.wrapped).select_from(
    officers.outerjoin(data_keys, data_keys.c.key_id == officers.c.key_id)
)


async def _officers(tx: Tx, query: Select[Any]) -> list[Officer]:
    rows = (await tx.execute(query)).all()
    ids = [row.officer_id for row in rows]
    served: dict[UUID, list[Posting]] = {}
    of_them = select(postings).where(postings.c.officer_id.in_(ids))
    for row in await tx.execute(of_them.order_by(postings.c.starts_at, postings.c.posting_id)):
        served.setdefault(row.officer_id, []).append(_to_posting(row))
    return [_to_officer(tx, row, served.get(row.officer_id, ())) for row in rows]


def _to_officer(tx: Tx, row: Any, served: Sequence[Posting]) -> Officer:
    key = tx.keys.unwrapped(OFFICER, row.key_id, row.wrapped)
    # An officer whose key was destroyed is returned without badge and names, with his postings.
    sealed = json.loads(key.open_text(row.sealed, _place(row.officer_id))) if key else {}
    return Officer(
        officer_id=row.officer_id,
        log_in=row.log_in or "",
        badge=sealed.get("badge", ""),
        kk=OfficerName(**sealed.get("kk", {})),
        ru=OfficerName(**sealed.get("ru", {})),
        postings=tuple(served),
    )


def _sealed(officer: Officer, key: DataKey) -> bytes:
    content = {"badge": officer.badge, "kk": asdict(officer.kk), "ru": asdict(officer.ru)}
    return key.seal(json.dumps(content), _place(officer.officer_id))


def _taken(error: IntegrityError) -> Exception:
    """The refusal for a violated constraint on log-in or badge; for any other, `error` itself."""
    if LOG_IN_KEY in str(error.orig):
        return LogInTaken()
    return BadgeTaken() if BADGE_KEY in str(error.orig) else error


def _place(officer_id: UUID) -> str:
    return f"officers.sealed:{officer_id}"


def _index(keyring: Keyring, word: str) -> bytes:
    return keyring.blind_index(OFFICER, "word", word)


def _to_posting(row: Any) -> Posting:
    return Posting(row.posting_id, row.unit, row.starts_at, row.ends_at)


def to_unit(row: Any) -> Unit:
    """Return the unit that a row of the table `units` contains."""
    return Unit(
        unit=row.unit,
        kind=UnitKind(row.kind),
        parent=row.parent or "",
        region=row.region,
        name_kk=row.name_kk,
        name_ru=row.name_ru,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )
