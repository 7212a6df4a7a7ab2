"""Storage of fines: add, find, lock and save rows, and encrypt and decrypt their personal data
(particulars)."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from audit_log.decisions import Decision, EntryOfRecord, audit_decision
from chassis.db import Database
from chassis.pages import PageSpec, moment_in
from chassis.refusals import PageTokenWrong
from chassis.transaction import Scope, Tx
from law.fine_dates import DayCount, LegalDates
from sqlalchemy import ColumnElement, Integer, Row, bindparam, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from statements.reads import Read

from fines.model.fine import (
    FINE,
    ISSUED_STATES,
    PAYABLE,
    Fine,
    SealedParticulars,
    SealedText,
    State,
    is_number,
)
from fines.model.prescription import Particulars
from fines.model.refusals import FineNotFound, OwnerErased
from fines.model.tariff import Amount
from fines.storage.tables import fines

PERSON, PLATE = "person", "plate"
_BY_NUMBER = select(fines).where(fines.c.number == bindparam("number"))
_SAVE = update(fines).where(fines.c.number == bindparam("saved_number"))
_FOUND, _LOCKED = Read(_BY_NUMBER), Read(_BY_NUMBER.with_for_update())


@dataclass(frozen=True)
class FineFilter:
    """The conditions of a search. A fine is found if it meets all of them. A field that is "" or
    False sets no condition. The field `held` finds fines that are not issued, for whatever reason.
    The field `hold_reason` finds fines that are not issued for this reason."""

    state: str = ""
    region: str = ""
    violation_id: str = ""
    # Not issued, for whatever reason; or for this one.
    held: bool = False
    hold_reason: str = ""


def scope_of_key(scope: Scope, kind: str, value: str) -> Scope:
    """Return a scope in which a bank sees only the fines that it looks up. `kind` is "owner",
    "plate" or "number". `value` is the fine's number, or the blind index (keyed hash) of the owner
    or plate in hex."""
    return replace(scope, lookup=f"{kind}:{value}")


async def add(tx: Tx, fine: Fine, decision: Decision) -> bool:
    """Store a new fine, audit the decision and return True. If the violation already has a fine,
    store nothing and return False."""
    added = await tx.execute(
        insert(fines)
        .values(**_from_fine(fine))
        .on_conflict_do_nothing(index_elements=["violation_id"])
    )
    if added.rowcount:
        await save(tx, fine, decision)
    return bool(added.rowcount)


async def save(tx: Tx, fine: Fine, decision: Decision) -> EntryOfRecord:
    """Store the fine after a decision, and audit the decision with a hash over all columns of the
    fine. Return the audit entry; the decision's ledger entries, payments and refunds refer to it.
    """
    row = _from_fine(fine)
    entry = audit_decision(tx, fine.object_ref, decision, {FINE: row}, region=fine.region)
    saved = await tx.execute(_SAVE, {"saved_number": fine.number, **row, **entry.columns})
    assert saved.rowcount == 1
    return entry


async def get(tx: Tx, number: str) -> Fine:
    """Return the fine. Raises FineNotFound if there is none within the transaction's scope."""
    return await _one(tx, fines.c.number == number)


async def find(tx: Tx, number: str) -> Fine | None:
    """Return the fine, or None if there is none within the transaction's scope."""
    try:
        return await get(tx, number)
    except FineNotFound:
        return None


async def find_alone(db: Database, scope: Scope, number: str) -> Fine | None:
    """Find a fine in a single round trip to the database. Returns None if there is none within
    `scope`."""
    rows = await db.read(scope, _FOUND, number=number)
    return to_fine(rows[0]) if rows else None


async def region_of(tx: Tx, number: str) -> str | None:
    """Return the region of the fine, or None if there is none within the transaction's scope."""
    found: str | None = await tx.scalar(select(fines.c.region).where(fines.c.number == number))
    return found


async def get_for_update(tx: Tx, number: str) -> Fine:
    """Return the fine and lock its row. Raises FineNotFound."""
    rows = await tx.read(_LOCKED, number=number)
    if not rows:
        raise FineNotFound
    return to_fine(rows[0])


async def get_of_violation_for_update(tx: Tx, violation_id: str) -> Fine | None:
    try:
        return await _one(tx, fines.c.violation_id == violation_id, lock=True)
    except FineNotFound:
        return None


async def page(
    tx: Tx, spec: PageSpec, wanted: FineFilter
) -> tuple[list[Fine], list[tuple[str, ...]]]:
    """Return a page of the fines that meet `wanted`, and each fine's key for keyset pagination.

    Fines whose violation was confirmed last come first.
    """
    query = select(fines)
    if wanted.state:
        query = query.where(fines.c.state == wanted.state)
    if wanted.region:
        query = query.where(fines.c.region == wanted.region)
    if wanted.violation_id:
        query = query.where(fines.c.violation_id == wanted.violation_id)
    if wanted.held or wanted.hold_reason:
        query = query.where(fines.c.state == State.AWAITING.value, fines.c.hold_reason != "")
    if wanted.hold_reason:
        query = query.where(fines.c.hold_reason == wanted.hold_reason)
    return await _page(tx, query, fines.c.confirmed_at, spec)


async def issued_from(tx: Tx, region: str, after: str, size: int) -> list[Fine]:
    """Return at most `size` fines that were issued and are not cancelled, with numbers above
    `after`, in order of number. A region of "" means all regions."""
    query = select(fines).where(*_issued(region, after)).order_by(fines.c.number).limit(size)
    return [to_fine(row) for row in await tx.execute(query)]


async def count_issued(tx: Tx, region: str, after: str) -> int:
    return int(await tx.scalar(select(func.count()).where(*_issued(region, after))))


async def payable_page(
    db: Database, scope: Scope, spec: PageSpec, *, kind: str, value: str
) -> tuple[list[Fine], list[tuple[str, ...]]]:
    """Return a page of the payable fines of one owner, plate or number, the latest issued first.
    Also return each fine's key for keyset pagination.

    `scope` must be the result of `scope_of_key` for this `kind` and `value`.
    """
    exact: Any = value if kind == "number" else bytes.fromhex(value)
    values = {"exact": exact, "size": spec.size}
    if spec.after:
        values["moment"], values["after"] = _read_key(spec.after)
    rows = await db.read(scope, _PAYABLE[kind, bool(spec.after)], **values)
    return [to_fine(row) for row in rows], [(row.issued_at.isoformat(), row.number) for row in rows]


def _payable(column: ColumnElement[Any], *, goes_on: bool) -> Read:
    latest_first = (fines.c.issued_at.desc(), fines.c.number.desc())
    query = select(fines).where(
        column == bindparam("exact"), fines.c.state.in_([state.value for state in PAYABLE])
    )
    if goes_on:
        after = (
            bindparam("moment", type_=fines.c.issued_at.type),
            bindparam("after", type_=fines.c.number.type),
        )
        query = query.where(tuple_(fines.c.issued_at, fines.c.number) < tuple_(*after))
    return Read(query.order_by(*latest_first).limit(bindparam("size", type_=Integer)))


_PAYABLE = {
    (kind, goes_on): _payable(column, goes_on=goes_on)
    for kind, column in {
        "number": fines.c.number,
        "owner": fines.c.owner_index,
        "plate": fines.c.plate_index,
    }.items()
    for goes_on in (False, True)
}


async def seal(tx: Tx, number: str, particulars: Particulars) -> SealedParticulars:
    """Return the personal data of the fine `number`, encrypted with the owner's key. Also return
    the blind indexes (keyed hashes) of owner and plate. Raises OwnerErased if the owner's key was
    destroyed."""
    owner = particulars.owner.number
    try:
        key = await tx.keys.of_person(PERSON, owner)
    except KeyError as error:
        raise OwnerErased from error
    return SealedParticulars(
        key_id=key.key_id,
        sealed=key.seal(json.dumps(particulars.as_json(), ensure_ascii=False), _place(number)),
        owner_index=owner_index(tx, owner),
        plate_index=tx.keys.blind_index(PLATE, "plate", particulars.plate),
    )


def owner_index(tx: Tx, number: str) -> bytes:
    """Return the blind index (keyed hash) by which all fines of an owner are found. `number` is the
    owner's IIN or BIN (national identification number of a person or a business)."""
    return tx.keys.blind_index(PERSON, "owner", number)


async def open_particulars(tx: Tx, fine: Fine) -> Particulars | None:
    """Return the decrypted personal data of the fine. Returns None if the fine was never issued or
    the owner's data were erased."""
    if fine.particulars is None:
        return None
    try:
        key = await tx.keys.get(PERSON, fine.particulars.key_id)
    except KeyError:
        return None
    return Particulars.from_json(
        json.loads(key.open_text(fine.particulars.sealed, _place(fine.number)))
    )


async def seal_cancel_reason(tx: Tx, number: str, reason: str) -> SealedText:
    """Encrypt the reason why the fine is cancelled with a new key, and return the result. An
    operator may name people in the reason."""
    key = await tx.keys.new(PERSON)
    return SealedText(key.key_id, key.seal(reason, f"fines.cancel_reason:{number}"))


def _issued(region: str, after: str) -> list[ColumnElement[bool]]:
    found = [fines.c.state.in_([state.value for state in ISSUED_STATES]), fines.c.number > after]
    return [*found, fines.c.region == region] if region else found


def _place(number: str) -> str:
    return f"fines.particulars:{number}"


async def _one(tx: Tx, condition: ColumnElement[bool], *, lock: bool = False) -> Fine:
    query = select(fines).where(condition)
    if lock:
        query = query.with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise FineNotFound
    return to_fine(row)


def _read_key(after: tuple[str, ...]) -> tuple[datetime, str]:
    try:
        moment, number = after
    except ValueError as error:
        raise PageTokenWrong from error
    if not is_number(number):
        raise PageTokenWrong
    return moment_in(moment), number


async def _page(
    tx: Tx, query: Any, moment: Any, spec: PageSpec
) -> tuple[list[Fine], list[tuple[str, ...]]]:
    if spec.after:
        after = _read_key(spec.after)
        query = query.where(tuple_(moment, fines.c.number) < tuple_(*map(literal, after)))
    rows = (
        await tx.execute(query.order_by(moment.desc(), fines.c.number.desc()).limit(spec.size))
    ).all()
    keys: list[tuple[str, ...]] = [
        (getattr(row, moment.name).isoformat(), row.number) for row in rows
    ]
    return [to_fine(row) for row in rows], keys


def to_fine(row: Row[Any]) -> Fine:
    return Fine(
        number=row.number,
        violation_id=row.violation_id,
        report_id=row.report_id,
        region=row.region,
        story=row.story,
        offence_code=row.offence_code,
        occurred_at=row.occurred_at,
        confirmed_at=row.confirmed_at,
        state=State(row.state),
        version=row.version,
        hold_reason=row.hold_reason,
        conflicts=tuple(row.conflicts),
        article=row.article,
        amount=_amount(row),
        issued_at=row.issued_at,
        particulars=_particulars(row),
        delivered_at=row.delivered_at,
        dates=_dates(row),
        cancel_reason=_cancel_reason(row),
    )


def _from_fine(fine: Fine) -> dict[str, Any]:
    values: dict[str, Any] = {
        "number": fine.number,
        "violation_id": fine.violation_id,
        "report_id": fine.report_id,
        "region": fine.region,
        "story": fine.story,
        "offence_code": fine.offence_code,
        "occurred_at": fine.occurred_at,
        "confirmed_at": fine.confirmed_at,
        "state": fine.state.value,
        "version": fine.version,
        "hold_reason": fine.hold_reason,
        "conflicts": list(fine.conflicts),
        "article": fine.article,
        "issued_at": fine.issued_at,
        "delivered_at": fine.delivered_at,
    }
    if fine.amount:
        values |= {
            "amount_minor": fine.amount.full_minor,
            "discounted_minor": fine.amount.discounted_minor,
            "base_value_minor": fine.amount.base_value_minor,
            "base_values": fine.amount.base_values,
            "tariff_version": fine.amount.tariff_version,
        }
    if fine.particulars:
        values |= {
            "owner_key_id": fine.particulars.key_id,
            "owner_index": fine.particulars.owner_index,
            "plate_index": fine.particulars.plate_index,
            "particulars": fine.particulars.sealed,
        }
    if fine.dates:
        values |= vars(fine.dates) | {"day_count": fine.dates.day_count.value}
    if fine.cancel_reason:
        values["cancel_key_id"] = fine.cancel_reason.key_id
        values["cancel_reason"] = fine.cancel_reason.sealed
    return values


def _amount(row: Row[Any]) -> Amount | None:
    if row.amount_minor is None:
        return None
    return Amount(
        full_minor=row.amount_minor,
        discounted_minor=row.discounted_minor,
        base_value_minor=row.base_value_minor,
        base_values=row.base_values,
        tariff_version=row.tariff_version,
    )


def _particulars(row: Row[Any]) -> SealedParticulars | None:
    if row.particulars is None:
        return None
    return SealedParticulars(
        key_id=row.owner_key_id,
        sealed=bytes(row.particulars),
        owner_index=bytes(row.owner_index),
        plate_index=bytes(row.plate_index),
    )


def _cancel_reason(row: Row[Any]) -> SealedText | None:
    return SealedText(row.cancel_key_id, bytes(row.cancel_reason)) if row.cancel_key_id else None


def _dates(row: Row[Any]) -> LegalDates | None:
    if row.delivered_on is None:
        return None
    days: dict[str, date] = {
        name: getattr(row, name)
        for name in (
            "delivered_on",
            "discount_until",
            "considered_on",
            "appeal_until",
            "in_force_on",
            "voluntary_until",
            "enforcement_by",
        )
    }
    return LegalDates(
        **days, day_count=DayCount(row.day_count), calendar_version=row.calendar_version
    )
