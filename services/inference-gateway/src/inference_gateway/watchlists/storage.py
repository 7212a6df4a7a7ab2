"""The tables of watch-lists, candidates and reviews, and every statement over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.refusals import IdReused
from chassis.tables import data_keys
from chassis.transaction import Tx
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
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from vision.boxes import Box

from inference_gateway.evidence.storage import EvidencePlace, is_shown_form, take_away
from inference_gateway.watchlists.model import (
    DISMISSED_KEPT,
    SAME_SIGHTING,
    UNREVIEWED_KEPT,
    Basis,
    Candidate,
    CandidateNotFound,
    CandidateState,
    Entry,
    EntryNotFound,
    EntryState,
    Review,
    Verdict,
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


@dataclass(frozen=True)
class Changed:
    """An entry that came in force or closed; `sealed` and `wrapped` are None where it closed."""

    change: int
    number: int
    region: str
    entry_id: UUID
    key_id: UUID
    wrapped: bytes | None
    sealed: bytes | None


@dataclass(frozen=True)
class Closing:
    """Who ended an entry, when and why."""

    by: str
    at: datetime
    reason: str = ""


def template_place(entry_id: UUID) -> str:
    return f"watch_entries.template:{entry_id}"


async def add_entry(tx: Tx, entry: Entry, template: bytes, *, story: str) -> None:
    """Raises IdReused when another caller has used the id."""
    key = await tx.keys.new(KEY_CLASS)
    added = await tx.execute(
        insert(entries)
        .values(
            entry_id=entry.entry_id,
            region=entry.region,
            basis=entry.basis.value,
            case_number=entry.case_number,
            purpose=entry.purpose,
            requested_by=entry.requested_by,
            requested_at=entry.requested_at,
            expires_at=entry.expires_at,
            state=entry.state.value,
            key_id=key.key_id,
            template_sealed=key.seal(template, template_place(entry.entry_id)),
            story=story,
        )
        .on_conflict_do_nothing()
    )
    if not added.rowcount:
        raise IdReused


async def entry(tx: Tx, entry_id: UUID, *, for_update: bool = False) -> Entry:
    """Raises EntryNotFound, also where the region is not the caller's."""
    query = select(entries).where(entries.c.entry_id == entry_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        raise EntryNotFound
    return _entry(row)


async def put_in_force(tx: Tx, entry: Entry) -> None:
    await tx.execute(
        update(entries)
        .where(entries.c.entry_id == entry.entry_id)
        .values(
            state=entry.state.value,
            approved_by=entry.approved_by,
            approved_at=entry.approved_at,
            change=await _next_version(tx),
        )
    )


async def close(tx: Tx, entry: Entry, closing: Closing) -> list[UUID]:
    """The template goes with its key; gives the candidates that were open, and are dismissed."""
    closed = await tx.execute(
        update(entries)
        .where(entries.c.entry_id == entry.entry_id)
        .values(
            state=entry.state.value,
            template_sealed=None,
            closed_by=closing.by,
            closed_at=closing.at,
            close_reason=closing.reason,
            change=await _next_version(tx),
        )
        .returning(entries.c.key_id)
    )
    await tx.keys.destroy(closed.one().key_id)
    # Nobody is searched for any more: who was seen is left alone, and no lead comes of it.
    dismissed = await tx.execute(
        update(candidates)
        .where(
            candidates.c.entry_id == entry.entry_id,
            candidates.c.state == CandidateState.OPEN.value,
        )
        .values(state=CandidateState.DISMISSED.value, decided_at=closing.at)
        .returning(candidates.c.candidate_id)
    )
    return [row.candidate_id for row in dismissed]


async def entries_page(
    tx: Tx, state: EntryState | None, *, after: UUID | None, size: int
) -> list[Entry]:
    query = select(entries).order_by(entries.c.entry_id).limit(size)
    if state is not None:
        query = query.where(entries.c.state == state.value)
    if after is not None:
        query = query.where(entries.c.entry_id > after)
    return [_entry(row) for row in await tx.execute(query)]


async def overdue(tx: Tx, now: datetime, *, most: int) -> list[Entry]:
    """Entries past their time; those that somebody else decides upon just now are left out."""
    query = (
        select(entries)
        .where(entries.c.template_sealed.is_not(None), entries.c.expires_at <= now)
        .order_by(entries.c.expires_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [_entry(row) for row in await tx.execute(query)]


async def version(tx: Tx) -> int:
    """Grows by one with every entry that comes in force or closes."""
    return int(await tx.scalar(select(changes.c.version)))


async def changed(tx: Tx, *, after: tuple[int, int], most: int) -> list[Changed]:
    """What changed after (change, number), in that order."""
    query = (
        select(entries, data_keys.c.wrapped)
        .join(data_keys, data_keys.c.key_id == entries.c.key_id)
        .where(tuple_(entries.c.change, entries.c.number) > tuple_(*after), entries.c.change > 0)
        .order_by(entries.c.change, entries.c.number)
        .limit(most)
    )
    return [
        Changed(
            row.change,
            row.number,
            row.region,
            row.entry_id,
            row.key_id,
            row.wrapped,
            row.template_sealed,
        )
        for row in await tx.execute(query)
    ]


async def entry_ids(tx: Tx, numbers: Iterable[int]) -> dict[int, UUID]:
    """Of the entries in force among these."""
    found = await tx.execute(
        select(entries.c.number, entries.c.entry_id).where(
            entries.c.number.in_(list(numbers)), entries.c.state == EntryState.IN_FORCE.value
        )
    )
    return {row.number: row.entry_id for row in found}


async def hold_in_force(tx: Tx, entry_id: UUID, now: datetime) -> bool:
    """Whether an entry is in force; it stays so, and nobody else finds it, until `tx` ends."""
    found = await tx.scalar(
        select(entries.c.entry_id)
        .where(
            entries.c.entry_id == entry_id,
            entries.c.state == EntryState.IN_FORCE.value,
            entries.c.expires_at > now,
        )
        .with_for_update()
    )
    return found is not None


async def seen_just_now(
    tx: Tx, entry_id: UUID, camera_id: UUID, captured_at: datetime
) -> UUID | None:
    """The candidate of the same entry that the same camera sees or saw around this moment."""
    found = await tx.scalar(
        select(candidates.c.candidate_id)
        .where(
            candidates.c.entry_id == entry_id,
            candidates.c.camera_id == camera_id,
            candidates.c.captured_at < captured_at + SAME_SIGHTING,
            candidates.c.last_seen_at > captured_at - SAME_SIGHTING,
        )
        .order_by(candidates.c.candidate_id.desc())
        .limit(1)
    )
    return None if found is None else UUID(str(found))


async def saw_again(tx: Tx, candidate_id: UUID, captured_at: datetime) -> None:
    await tx.execute(
        update(candidates)
        .where(candidates.c.candidate_id == candidate_id, candidates.c.last_seen_at < captured_at)
        .values(last_seen_at=captured_at)
    )


async def add_candidate(tx: Tx, one: Candidate, now: datetime) -> None:
    await tx.execute(
        insert(candidates).values(
            candidate_id=one.candidate_id,
            entry_id=one.entry_id,
            camera_id=one.camera_id,
            region=one.region,
            captured_at=one.captured_at,
            last_seen_at=one.captured_at,
            closeness=one.closeness,
            box=[one.box.x, one.box.y, one.box.width, one.box.height],
            evidence_sha256=one.evidence_sha256,
            models_fingerprint=one.models_fingerprint,
            state=one.state.value,
            found_at=now,
        )
    )


async def candidate(tx: Tx, candidate_id: UUID) -> Candidate:
    """Raises CandidateNotFound."""
    query = select(candidates).where(candidates.c.candidate_id == candidate_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise CandidateNotFound
    return _candidate(row, ())


async def region_of_entry(tx: Tx, entry_id: UUID) -> str | None:
    """None where there is no such entry."""
    query = select(entries.c.region).where(entries.c.entry_id == entry_id)
    found: str | None = await tx.scalar(query)
    return found


async def region_of_candidate(tx: Tx, candidate_id: UUID) -> str | None:
    """None where there is no such candidate."""
    query = select(candidates.c.region).where(candidates.c.candidate_id == candidate_id)
    found: str | None = await tx.scalar(query)
    return found


async def candidate_for_review(tx: Tx, candidate_id: UUID) -> tuple[Candidate, Entry]:
    """The candidate, locked, and its entry. Raises CandidateNotFound.

    Whoever closes the entry waits for the lock of an open candidate, and so for this decision.
    """
    query = select(candidates).where(candidates.c.candidate_id == candidate_id)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise CandidateNotFound
    told = await _reviews_of(tx, [candidate_id])
    return _candidate(row, told.get(candidate_id, ())), await entry(tx, row.entry_id)


async def add_review(tx: Tx, one: Candidate) -> None:
    """The last review of a candidate, and what it came to."""
    last = one.reviews[-1]
    await tx.execute(
        insert(reviews).values(
            candidate_id=one.candidate_id,
            reviewer=last.reviewer,
            region=one.region,
            verdict=last.verdict.value,
            reason=last.reason,
            reviewed_at=last.reviewed_at,
        )
    )
    if one.state is not CandidateState.OPEN:
        await decide(tx, one.candidate_id, one.state, last.reviewed_at)


async def decide(tx: Tx, candidate_id: UUID, state: CandidateState, at: datetime) -> None:
    await tx.execute(
        update(candidates)
        .where(candidates.c.candidate_id == candidate_id)
        .values(state=state.value, decided_at=at)
    )


async def candidates_page(
    tx: Tx,
    *,
    entry_id: UUID | None,
    state: CandidateState | None,
    before: UUID | None,
    size: int,
) -> list[Candidate]:
    """Newest first."""
    query = select(candidates).order_by(candidates.c.candidate_id.desc()).limit(size)
    if entry_id is not None:
        query = query.where(candidates.c.entry_id == entry_id)
    if state is not None:
        query = query.where(candidates.c.state == state.value)
    if before is not None:
        query = query.where(candidates.c.candidate_id < before)
    rows = (await tx.execute(query)).all()
    told = await _reviews_of(tx, [row.candidate_id for row in rows])
    return [_candidate(row, told.get(row.candidate_id, ())) for row in rows]


async def unreviewed(tx: Tx, now: datetime, *, most: int) -> list[Candidate]:
    """Open ones that nobody decided upon in time."""
    query = select(candidates).where(
        candidates.c.state == CandidateState.OPEN.value,
        candidates.c.found_at <= now - UNREVIEWED_KEPT,
    )
    rows = await tx.execute(query.limit(most).with_for_update(skip_locked=True))
    return [_candidate(row, ()) for row in rows]


async def forgettable(tx: Tx, now: datetime, *, most: int) -> list[Candidate]:
    """Dismissed ones whose evidence is to be forgotten: those that nobody dismissed, at once."""
    reviewed = select(reviews.c.candidate_id).where(
        reviews.c.candidate_id == candidates.c.candidate_id,
        reviews.c.verdict == Verdict.OTHER_PERSON.value,
    )
    query = select(candidates).where(
        candidates.c.state == CandidateState.DISMISSED.value,
        candidates.c.forgotten_at.is_(None),
        or_(candidates.c.decided_at <= now - DISMISSED_KEPT, ~reviewed.exists()),
    )
    rows = await tx.execute(query.limit(most).with_for_update(skip_locked=True))
    return [_candidate(row, ()) for row in rows]


async def forget_evidence(tx: Tx, one: Candidate, now: datetime) -> None:
    """The frame of a candidate, unless another candidate of the same frame is kept still."""
    await tx.execute(
        update(candidates)
        .where(candidates.c.candidate_id == one.candidate_id)
        .values(forgotten_at=now)
    )
    place = EvidencePlace(one.region, OFFICER)
    if await _is_wanted(tx, one.evidence_sha256, place):
        return
    shown_sha256 = await take_away(tx, one.evidence_sha256, place)
    if shown_sha256 and not await _is_wanted(tx, shown_sha256, place):
        await take_away(tx, shown_sha256, place)


async def _is_wanted(tx: Tx, sha256: str, place: EvidencePlace) -> bool:
    """Whether it is the frame of a candidate that is kept, or the shown form of another frame."""
    kept = await tx.scalar(
        select(candidates.c.candidate_id)
        .where(
            candidates.c.evidence_sha256 == sha256,
            candidates.c.region == place.region,
            candidates.c.forgotten_at.is_(None),
        )
        .limit(1)
    )
    return kept is not None or await is_shown_form(tx, sha256, place)


async def _next_version(tx: Tx) -> int:
    """The row stays locked until the commit: versions are seen in the order they were given."""
    grown = await tx.execute(
        update(changes).values(version=changes.c.version + 1).returning(changes.c.version)
    )
    return int(grown.scalar_one())


async def _reviews_of(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, tuple[Review, ...]]:
    if not ids:
        return {}
    found = await tx.execute(
        select(reviews).where(reviews.c.candidate_id.in_(ids)).order_by(reviews.c.reviewed_at)
    )
    told: dict[UUID, tuple[Review, ...]] = {}
    for row in found:
        one = Review(row.reviewer, Verdict(row.verdict), row.reason, row.reviewed_at)
        told[row.candidate_id] = (*told.get(row.candidate_id, ()), one)
    return told


def _entry(row: Any) -> Entry:
    return Entry(
        row.entry_id,
        row.region,
        Basis(row.basis),
        row.case_number,
        row.purpose,
        row.requested_by,
        row.requested_at,
        row.expires_at,
        EntryState(row.state),
        row.approved_by or "",
        row.approved_at,
    )


def _candidate(row: Any, told: tuple[Review, ...]) -> Candidate:
    return Candidate(
        row.candidate_id,
        row.entry_id,
        row.camera_id,
        row.region,
        row.captured_at,
        row.closeness,
        Box(*row.box),
        row.evidence_sha256,
        row.models_fingerprint,
        CandidateState(row.state),
        told,
    )
