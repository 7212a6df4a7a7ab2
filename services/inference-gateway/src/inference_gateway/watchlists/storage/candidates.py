"""SQL statements for candidates and their reviews."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import (
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from vision.boxes import Box

from inference_gateway.evidence.storage import EvidencePlace, is_shown_form, take_away
from inference_gateway.watchlists.model import (
    DISMISSED_KEPT,
    SAME_SIGHTING,
    UNREVIEWED_KEPT,
    Candidate,
    CandidateNotFound,
    CandidateState,
    Entry,
    Review,
    Verdict,
)
from inference_gateway.watchlists.storage.entries import entry
from inference_gateway.watchlists.storage.tables import OFFICER, candidates, reviews


async def seen_just_now(
    tx: Tx, entry_id: UUID, camera_id: UUID, captured_at: datetime
) -> UUID | None:
    """Return the id of a candidate for this entry whose face this camera saw less than 60 s before
    or after `captured_at`; None if there is none."""
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
    """Return the candidate without its reviews: the field `reviews` is always empty. To load the
    reviews, use `candidate_for_review`. Raises CandidateNotFound."""
    query = select(candidates).where(candidates.c.candidate_id == candidate_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise CandidateNotFound
    return _candidate(row, ())


async def region_of_candidate(tx: Tx, candidate_id: UUID) -> str | None:
    """Return the region of a candidate, None if there is no such candidate."""
    query = select(candidates.c.region).where(candidates.c.candidate_id == candidate_id)
    found: str | None = await tx.scalar(query)
    return found


async def candidate_for_review(tx: Tx, candidate_id: UUID) -> tuple[Candidate, Entry]:
    """Return the candidate with its reviews, and its entry. Raises CandidateNotFound.

    Locks the candidate's row. A concurrent transaction that closes the entry needs this lock to
    dismiss an open candidate, so it waits until this transaction ends.
    """
    query = select(candidates).where(candidates.c.candidate_id == candidate_id)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise CandidateNotFound
    by_candidate = await _reviews_of(tx, [candidate_id])
    return _candidate(row, by_candidate.get(candidate_id, ())), await entry(tx, row.entry_id)


async def add_review(tx: Tx, one: Candidate) -> None:
    """Store the newest of `one.reviews`, and the candidate's resulting state."""
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
    """Return at most `size` candidates with their reviews, newest first. If `entry_id` or `state`
    is given, only candidates for this entry or in this state are returned. `before` is the last
    candidate id of the previous page."""
    query = select(candidates).order_by(candidates.c.candidate_id.desc()).limit(size)
    if entry_id is not None:
        query = query.where(candidates.c.entry_id == entry_id)
    if state is not None:
        query = query.where(candidates.c.state == state.value)
    if before is not None:
        query = query.where(candidates.c.candidate_id < before)
    rows = (await tx.execute(query)).all()
    by_candidate = await _reviews_of(tx, [row.candidate_id for row in rows])
    return [_candidate(row, by_candidate.get(row.candidate_id, ())) for row in rows]


async def unreviewed(tx: Tx, now: datetime, *, most: int) -> list[Candidate]:
    """Return at most `most` candidates that were found at least 24 hours before `now` and are still
    open (undecided). Locks their rows; rows locked by other transactions are skipped.

    Reviews are not loaded: the field `reviews` is empty, even if a candidate already has a review.
    """
    query = select(candidates).where(
        candidates.c.state == CandidateState.OPEN.value,
        candidates.c.found_at <= now - UNREVIEWED_KEPT,
    )
    rows = await tx.execute(query.limit(most).with_for_update(skip_locked=True))
    return [_candidate(row, ()) for row in rows]


async def forgettable(tx: Tx, now: datetime, *, most: int) -> list[Candidate]:
    """Return at most `most` dismissed candidates whose evidence is due for deletion. Locks their
    rows; rows locked by other transactions are skipped. Reviews are not loaded: the field `reviews`
    is empty.

    Evidence is due seven days after the dismissal if a reviewer decided OTHER_PERSON, otherwise
    immediately.
    """
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
    """Mark that a candidate lost its evidence at `now`. Delete the evidence, unless another
    candidate has the same frame as evidence."""
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
    """Whether a candidate still needs this content, or it is the shown form of another frame."""
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


async def _reviews_of(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, tuple[Review, ...]]:
    if not ids:
        return {}
    found = await tx.execute(
        select(reviews).where(reviews.c.candidate_id.in_(ids)).order_by(reviews.c.reviewed_at)
    )
    by_candidate: dict[UUID, tuple[Review, ...]] = {}
    for row in found:
        one = Review(row.reviewer, Verdict(row.verdict), row.reason, row.reviewed_at)
        by_candidate[row.candidate_id] = (*by_candidate.get(row.candidate_id, ()), one)
    return by_candidate


def _candidate(row: Any, by_candidate: tuple[Review, ...]) -> Candidate:
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
        by_candidate,
    )
