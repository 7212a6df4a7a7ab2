"""Candidates: who finds them, who decides upon them, what is forgotten of them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id, to_timestamp
from chassis.identity import Caller, Operator
from chassis.transaction import Scope
from inference_gateway.camera_rules.model import CameraFunctions
from inference_gateway.evidence.storage import EvidenceAway
from inference_gateway.frames.model import FaceVerdict
from inference_gateway.ingest.usecases import SessionParts
from inference_gateway.ingest.video import SampledFrame
from inference_gateway.ingest.video_session import Subject, VideoSession
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.model import EntryNotInForce, Verdict
from tartip.inference.v1 import events_pb2
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip_scenes.faces import draw_face
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .watchlist_officers import (
    FINGERPRINT,
    REGION,
    Officer,
    audited,
    beside,
    camera,
    face,
    states,
    with_comment,
)


def test_who_is_searched_for_becomes_a_lead_by_two_reviewers(
    engines: RunningTestMesh, in_force: str, one: Officer, other: Officer, third: Officer
) -> None:
    where, at = camera(), datetime.now(UTC)
    passing = face(5)

    async def pass_by() -> tuple[Any, Any]:
        async with beside(engines) as parts:
            _, first = await parts.see(passing, camera=where, at=at)
            again, kept_again = await parts.see(
                face(6), camera=where, at=at + timedelta(seconds=50)
            )
            assert kept_again is not None and first is not None
            assert (again.evidence, kept_again.events) == (None, ())
            assert kept_again.faces[0].candidate_id == first.faces[0].candidate_id
            return first, kept_again

    first, _ = asyncio.run(pass_by())
    [seen], [told] = first.faces, first.events
    assert seen.verdict is FaceVerdict.CANDIDATE
    assert told.event.message == events_pb2.FaceCandidate(
        candidate_id=str(seen.candidate_id),
        camera_id=str(where.camera_id),
        region=REGION,
        captured_at=to_timestamp(at),
        closeness=told.event.message.closeness,
        evidence_sha256=told.event.message.evidence_sha256,
        models_fingerprint=FINGERPRINT,
    )
    [candidate] = one.candidates(in_force)
    assert candidate.candidate_id == str(seen.candidate_id)
    assert 0.5 < candidate.closeness < 1
    assert candidate.state == pb.CANDIDATE_STATE_OPEN
    with refused("REVIEWER_IS_REQUESTER"):
        one.review(candidate.candidate_id)
    assert other.review(candidate.candidate_id).state == pb.CANDIDATE_STATE_OPEN
    with refused("REVIEWED_ALREADY"):
        other.review(candidate.candidate_id)
    lead = third.review(candidate.candidate_id)
    assert lead.state == pb.CANDIDATE_STATE_LEAD
    assert [review.reviewer for review in lead.reviews] == ["watchlist-2", "watchlist-3"]
    with refused("CANDIDATE_DECIDED"):
        third.review(candidate.candidate_id)


def test_the_frame_of_a_candidate_is_for_watch_list_officers_alone(
    engines: RunningTestMesh,
    in_force: str,
    one: Officer,
    other: Officer,
    as_: Callable[..., As],
    as_officer: Callable[[str], Officer],
    rows: Callable[[str], list[Any]],
) -> None:
    plain = face(8)
    passing = with_comment(plain)

    async def pass_by() -> None:
        async with beside(engines) as parts:
            await parts.see(passing, camera=camera(), at=datetime.now(UTC))

    asyncio.run(pass_by())
    candidate = one.candidates(in_force)[0]
    opened = other.open(candidate.candidate_id)
    assert opened == ("image/jpeg", plain), "without what a camera wrote into it"
    with refused("EVIDENCE_NOT_FOUND"):
        as_("violations").read(candidate.evidence_sha256)
    [(_, actor, purpose)] = [
        one
        for one in audited(rows, f"candidate:{candidate.candidate_id}")
        if one[0] == "open_evidence"
    ]
    assert (actor, purpose) == ("operator/watchlist-2", other.purpose)
    stranger = as_officer("watchlist-astana")
    with refused("CANDIDATE_NOT_FOUND"):
        stranger.open(candidate.candidate_id)
    attempts = audited(rows, f"candidate:{candidate.candidate_id}")
    assert ("open_refused", "operator/watchlist-astana", stranger.purpose) in attempts
    with refused("NOT_ALLOWED"):
        as_officer("auditor-1").open(candidate.candidate_id)


def test_a_match_outlives_an_outage_of_the_store_of_evidence(
    engines: RunningTestMesh, in_force: str, one: Officer, as_: Callable[..., As]
) -> None:
    folder = engines.home.evidence
    aside, where = folder.with_name("evidence-aside"), camera()
    scope = Scope("device", "edge-1", (REGION,))
    subject = Subject(
        new_id(), where, Caller("device", "edge-1"), scope, b"stream", datetime.now(UTC)
    )

    async def configured() -> CameraFunctions:
        return CameraFunctions(faces=True)

    async def pass_by() -> None:
        async with beside(engines) as parts:
            session = VideoSession(
                subject,
                SessionParts(parts.pool, parts.evidence_store, parts.watch),
                configured=configured,
            )
            folder.rename(aside)
            folder.touch()  # no folder can be made there
            try:
                with pytest.raises(EvidenceAway):
                    await session.take(SampledFrame(0, 0.0, draw_face(4).picture, 0.0))
            finally:
                folder.unlink()
                aside.rename(folder)
            [pending] = await session.flush()
            assert pending.faces is not None and pending.faces.has_candidates
            async with parts.db.begin(scope) as tx:
                assert len((await pending.faces.keep(tx)).events) == 1

    asyncio.run(pass_by())
    [candidate] = one.candidates(in_force)
    assert one.open(candidate.candidate_id)[0] == "image/jpeg"


def test_one_other_person_dismisses_and_what_nobody_reviews_is_forgotten(
    engines: RunningTestMesh,
    in_force: str,
    one: Officer,
    other: Officer,
    rows: Callable[[str], list[Any]],
) -> None:
    async def pass_by() -> None:
        async with beside(engines) as parts:
            for seed in (1, 2):
                passing = with_comment(face(seed))
                await parts.see(passing, camera=camera(), at=datetime.now(UTC))

    async def a_day_later() -> None:
        async with beside(engines, later=timedelta(hours=25)) as parts:
            assert await parts.sweep() >= 2

    asyncio.run(pass_by())
    unseen, dismissed = one.candidates(in_force)
    shown = {
        row["sha256"]: row["shown_sha256"]
        for row in rows("SELECT sha256, shown_sha256 FROM evidence")
    }
    answer = other.review(dismissed.candidate_id, pb.VERDICT_OTHER_PERSON)
    assert answer.state == pb.CANDIDATE_STATE_DISMISSED
    asyncio.run(a_day_later())
    assert {each.state for each in one.candidates(in_force)} == {pb.CANDIDATE_STATE_DISMISSED}
    assert one.open(dismissed.candidate_id)
    with refused("EVIDENCE_NOT_FOUND"):
        one.open(unseen.candidate_id)
    forgotten, kept = unseen.evidence_sha256, dismissed.evidence_sha256
    forms = {forgotten: shown[forgotten], kept: shown[kept]}
    left = {row["sha256"] for row in rows("SELECT sha256 FROM evidence")}
    assert not {forgotten, forms[forgotten]} & left, "both forms, and their keys"
    assert {kept, forms[kept]} <= left


def test_a_face_in_another_region_or_of_a_closed_entry_is_nobodys(
    engines: RunningTestMesh, one: Officer, other: Officer
) -> None:
    entry_id = other.approve(one.ask().entry_id).entry_id

    async def pass_by() -> None:
        async with beside(engines) as parts:
            elsewhere, _ = await parts.see(face(), camera=camera("KZ-39"), at=datetime.now(UTC))
            assert not elsewhere.has_candidates
            seen, _ = await parts.see(face(), camera=camera(), at=datetime.now(UTC), keep=False)
            assert seen.has_candidates
            await asyncio.to_thread(one.withdraw, entry_id)
            async with parts.db.begin(Scope("device", "edge-1", (REGION,))) as tx:
                kept = await seen.keep(tx)
            assert kept.events == ()
            assert [each.verdict for each in kept.faces] == [FaceVerdict.UNKNOWN]
            await parts.lists.refresh()
            after, _ = await parts.see(face(), camera=camera(), at=datetime.now(UTC))
            assert not after.has_candidates

    asyncio.run(pass_by())
    assert one.candidates(entry_id) == []


def test_no_lead_comes_of_an_entry_that_was_withdrawn(
    engines: RunningTestMesh,
    one: Officer,
    other: Officer,
    third: Officer,
    rows: Callable[[str], list[Any]],
) -> None:
    entry_id = other.approve(one.ask().entry_id).entry_id

    async def pass_by() -> None:
        async with beside(engines) as parts:
            for seed in (11, 12):  # frames that no other test's candidate keeps
                await parts.see(face(seed), camera=camera(), at=datetime.now(UTC))

    async def sweep() -> None:
        async with beside(engines) as parts:
            await parts.sweep()

    asyncio.run(pass_by())
    reviewed, lead = one.candidates(entry_id)
    assert other.review(reviewed.candidate_id).state == pb.CANDIDATE_STATE_OPEN
    for reviewer in (other, third):
        reviewer.review(lead.candidate_id)
    one.withdraw(entry_id)
    # At once: what forgets frames may have come by already.
    assert [state for state, _ in states(rows, entry_id)] == ["LEAD", "DISMISSED"]
    assert ("dismiss_candidate", "operator/watchlist-1", one.purpose) in audited(
        rows, f"candidate:{reviewed.candidate_id}"
    )
    for candidate in (reviewed, lead):
        with refused("ENTRY_NOT_IN_FORCE"):
            third.review(candidate.candidate_id)
    asyncio.run(sweep())
    assert states(rows, entry_id) == [("LEAD", False), ("DISMISSED", True)]
    assert other.open(lead.candidate_id)
    with refused("EVIDENCE_NOT_FOUND"):
        other.open(reviewed.candidate_id)


def test_no_lead_comes_of_an_entry_past_its_time(
    engines: RunningTestMesh,
    one: Officer,
    other: Officer,
    third: Officer,
    rows: Callable[[str], list[Any]],
) -> None:
    soon = to_timestamp(datetime.now(UTC) + timedelta(days=2))
    entry_id = other.approve(one.ask(expires_at=soon).entry_id).entry_id

    async def pass_by() -> None:
        async with beside(engines) as parts:
            await parts.see(face(), camera=camera(), at=datetime.now(UTC))

    asyncio.run(pass_by())
    [candidate] = one.candidates(entry_id)
    other.review(candidate.candidate_id)

    async def a_moment_after() -> None:
        """The officer comes before the sweeper does."""
        reviewer = Operator("watchlist-3", frozenset({storage.OFFICER}), (REGION,))
        caller = Caller("service", "operator-gateway", reviewer, third.purpose)
        async with beside(engines, later=timedelta(days=2)) as parts:
            with pytest.raises(EntryNotInForce):
                await parts.desk.review(
                    UUID(candidate.candidate_id), Verdict.SAME_PERSON, "", caller
                )
            await parts.sweep()

    asyncio.run(a_moment_after())
    assert states(rows, entry_id) == [("DISMISSED", True)]
    with refused("ENTRY_NOT_IN_FORCE"):
        third.review(candidate.candidate_id)
