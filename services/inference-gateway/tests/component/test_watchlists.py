"""Watch-lists on the real service: asked for by one, put in force by another, reviewed by two."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from chassis.clock import new_id, to_timestamp
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip_scenes.faces import draw_face
from tartip_testing.mesh import RunningTestMesh

from .callers import refused
from .peers import CALL_SECONDS
from .processes import Process
from .watchlist_officers import (
    Officer,
    asked,
    audited,
    beside,
    camera,
    face,
    jpeg,
    wait_until_key_is_destroyed,
)


def test_an_entry_is_asked_for_approved_by_another_and_ended(
    one: Officer, other: Officer, rows: Callable[[str], list[Any]]
) -> None:
    request = asked()
    entry = one.call("RequestEntry", request).entry
    assert (entry.state, entry.requested_by) == (pb.ENTRY_STATE_REQUESTED, "watchlist-1")
    assert one.call("RequestEntry", request).entry == entry
    with refused("APPROVER_IS_REQUESTER"):
        one.approve(entry.entry_id)
    approved = other.approve(entry.entry_id)
    assert (approved.state, approved.approved_by) == (pb.ENTRY_STATE_IN_FORCE, "watchlist-2")
    assert other.approve(entry.entry_id) == approved
    ended = one.withdraw(entry.entry_id)
    assert ended.state == pb.ENTRY_STATE_WITHDRAWN
    assert other.withdraw(entry.entry_id) == ended
    with refused("ENTRY_CLOSED"):
        other.approve(entry.entry_id)
    [row] = rows(f"SELECT template_sealed FROM watch_entries WHERE entry_id = '{entry.entry_id}'")
    assert row["template_sealed"] is None
    wait_until_key_is_destroyed(rows, entry.entry_id)
    told = audited(rows, f"entry:{entry.entry_id}")
    assert {(action, actor) for action, actor, _ in told} == {
        ("request_entry", "operator/watchlist-1"),
        ("approve_entry", "operator/watchlist-2"),
        ("withdraw_entry", "operator/watchlist-1"),
        ("withdraw_entry", "operator/watchlist-2"),
    }
    assert {purpose for _, _, purpose in told} == {"test of the lists"}


def test_a_request_says_all_that_is_wrong_with_it(one: Officer) -> None:
    with refused("BAD_REQUEST") as told:
        one.ask(
            entry_id="x",
            region="Almaty",
            basis=pb.BASIS_UNSPECIFIED,
            case_number="C",
            purpose="because",
            expires_at=to_timestamp(datetime.now(UTC) - timedelta(days=1)),
            picture=b"",
        )
    assert {error.field for error in told[0].fields} == {
        "entry_id",
        "region",
        "basis",
        "case_number",
        "purpose",
        "expires_at",
        "picture",
    }


def test_a_picture_must_show_one_good_face(one: Officer) -> None:
    grey = np.full((320, 320, 3), 128, np.uint8)
    small = cv2.resize(draw_face(4).picture, (96, 96), interpolation=cv2.INTER_AREA)
    two = np.concatenate([draw_face(4).picture, draw_face(7).picture], axis=1)
    for picture, reason in (
        (jpeg(grey), "NO_FACE"),
        (jpeg(two), "SEVERAL_FACES"),
        (jpeg(small), "FACE_TOO_POOR"),
        (b"not a picture", "NOT_A_PICTURE"),
        (face()[:2000], "PICTURE_TRUNCATED"),
        (bytes(8 * 1024 * 1024 + 1), "PICTURE_TOO_LARGE"),
    ):
        with refused(reason):
            one.ask(picture=picture)


def test_an_id_stands_for_one_request(one: Officer, other: Officer) -> None:
    entry = one.ask()
    with refused("ID_REUSED"):
        one.ask(entry_id=entry.entry_id, case_number="C-2026/18")
    with refused("ID_REUSED"):
        one.ask(entry_id=entry.entry_id, picture=face(5))
    with refused("ID_REUSED"):
        other.ask(entry_id=entry.entry_id)


def test_every_call_needs_a_purpose_and_the_role(
    one: Officer, as_officer: Callable[[str], Officer]
) -> None:
    calls = (
        ("RequestEntry", asked()),
        ("ApproveEntry", pb.ApproveEntryRequest()),
        ("WithdrawEntry", pb.WithdrawEntryRequest()),
        ("ListEntries", pb.ListEntriesRequest()),
        ("ListCandidates", pb.ListCandidatesRequest()),
        ("ReviewCandidate", pb.ReviewCandidateRequest(verdict=pb.VERDICT_SAME_PERSON)),
    )
    stranger, silent = as_officer("inspector-almaty"), replace(one, purpose=" ")
    for method, request in calls:
        with refused("NOT_ALLOWED"):
            stranger.call(method, request)
    for method, request in (calls[0], calls[3], calls[4]):
        with refused("PURPOSE_REQUIRED"):
            silent.call(method, request)
    with refused("PURPOSE_REQUIRED"):
        silent.approve(str(new_id()))
    with refused("ENTRY_NOT_FOUND"):
        one.withdraw(str(new_id()))
    with refused("CANDIDATE_NOT_FOUND"):
        one.review(str(new_id()))


def test_an_officer_sees_the_entries_of_his_regions_alone(
    one: Officer, as_officer: Callable[[str], Officer], rows: Callable[[str], list[Any]]
) -> None:
    entry = one.ask()
    stranger = as_officer("watchlist-astana")
    for decide in (stranger.approve, stranger.withdraw):
        with refused("ENTRY_NOT_FOUND"):
            decide(entry.entry_id)
    attempts = audited(rows, f"entry:{entry.entry_id}")
    assert attempts.count(("open_refused", "operator/watchlist-astana", stranger.purpose)) == 2
    with refused("BAD_REQUEST") as told:
        stranger.ask()
    assert [error.field for error in told[0].fields] == ["region"]
    listing = pb.ListEntriesRequest(state=pb.ENTRY_STATE_REQUESTED)
    assert entry in one.call("ListEntries", listing).entries
    assert entry not in stranger.call("ListEntries", listing).entries
    assert ("read_entry", "operator/watchlist-1", one.purpose) in audited(
        rows, f"entry:{entry.entry_id}"
    )


def test_an_entry_past_its_time_ends_by_itself(
    engines: RunningTestMesh, one: Officer, other: Officer, rows: Callable[[str], list[Any]]
) -> None:
    soon = to_timestamp(datetime.now(UTC) + timedelta(days=2))
    entry = other.approve(one.ask(expires_at=soon).entry_id)

    async def later() -> None:
        async with beside(engines, later=timedelta(days=3)) as parts:
            assert await parts.sweep() >= 1

    asyncio.run(later())
    listing = pb.ListEntriesRequest(state=pb.ENTRY_STATE_EXPIRED)
    ids = [each.entry_id for each in one.call("ListEntries", listing).entries]
    assert entry.entry_id in ids
    with refused("ENTRY_CLOSED"):
        other.approve(entry.entry_id)
    wait_until_key_is_destroyed(rows, entry.entry_id)


def test_a_template_that_does_not_open_keeps_nobody_else_from_being_searched_for(
    engines: RunningTestMesh,
    in_force: str,
    one: Officer,
    other: Officer,
    rows: Callable[[str], list[Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged = other.approve(one.ask(picture=face(9)).entry_id).entry_id
    rows(
        "UPDATE watch_entries SET template_sealed = set_byte(template_sealed, 40,"
        f" 255 - get_byte(template_sealed, 40)) WHERE entry_id = '{damaged}'"
    )

    async def pass_by() -> None:
        async with beside(engines) as parts:
            seen, _ = await parts.see(face(), camera=camera(), at=datetime.now(UTC), keep=False)
            assert {str(found.candidate.entry_id) for found in seen.found} == {in_force}

    asyncio.run(pass_by())
    one.withdraw(damaged)
    [told] = [record for record in caplog.records if damaged in record.getMessage()]
    assert (told.levelname, told.exc_info) == ("ERROR", None)


def test_pages_of_entries_come_in_order_and_once(one: Officer) -> None:
    made = [one.ask().entry_id for _ in range(3)]
    seen: list[str] = []
    request = pb.ListEntriesRequest(state=pb.ENTRY_STATE_REQUESTED)
    request.page.size = 2
    while True:
        answer = one.call("ListEntries", request)
        seen += [entry.entry_id for entry in answer.entries]
        if not answer.next_page_token:
            break
        request.page.token = answer.next_page_token
    assert seen == sorted(set(seen))
    assert set(made) <= set(seen)
    with refused("PAGE_TOKEN_WRONG"):
        candidates = pb.ListCandidatesRequest()
        candidates.page.token = request.page.token
        one.call("ListCandidates", candidates)


def test_a_kill_in_the_middle_of_a_request_loses_and_doubles_nothing(
    one: Officer, service: Process, rows: Callable[[str], list[Any]]
) -> None:
    requests = [asked(picture=face(seed)) for seed in range(4)]
    for wait_seconds, request in zip((0.0, 0.05, 0.15, 0.3), requests, strict=True):
        metadata = (("authorization", f"Bearer {one.token}"), ("tartip-purpose", "test"))
        call = one.stub.RequestEntry.future(request, timeout=CALL_SECONDS, metadata=metadata)
        # The last may have been answered by now: then the kill comes after the commit.
        with contextlib.suppress(grpc.FutureTimeoutError):
            call.exception(timeout=wait_seconds or 0.001)
        service.kill()
        service.start()
        entry = one.call("RequestEntry", request).entry
        assert one.call("RequestEntry", request).entry == entry
        [row] = rows(
            "SELECT (SELECT count(*) FROM watch_entries"
            f" WHERE entry_id = '{request.entry_id}') AS entries"
        )
        assert row["entries"] == 1
        assert len(audited(rows, f"entry:{request.entry_id}")) == 1
