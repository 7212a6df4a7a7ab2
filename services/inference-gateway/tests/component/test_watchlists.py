"""Watch-lists on the real service: asked for by one, put in force by another, reviewed by two."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import cv2
import grpc
import numpy as np
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.identity import Caller, Operator
from chassis.transaction import Scope
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.films import Shot
from inference_gateway.functions.model import CameraFunctions
from inference_gateway.model import Camera, FaceVerdict
from inference_gateway.objects import EvidenceAway, SealedObjects
from inference_gateway.pictures import open_picture
from inference_gateway.screening import Screening, Subject
from inference_gateway.triton import Credentials, TritonModels
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.keeping import WatchedFaces
from inference_gateway.watchlists.lists import Lists
from inference_gateway.watchlists.model import EntryNotInForce, Verdict
from inference_gateway.watchlists.search import KeptFaces
from inference_gateway.watchlists.usecases import WatchDesk
from inference_gateway.watchlists.watching import FaceWatch
from tartip.inference.v1 import events_pb2, watchlists_pb2_grpc
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip_cli.testing import RunningTestMesh
from tartip_scenes.faces import draw_face
from vault.keyring import Keyring
from vision.detector import Detector
from vision.faces.detector import FaceDetector

from .conftest import CALL_SECONDS, SERVICE, As, Process, credentials, refused

REGION = "KZ-31"
FINGERPRINT = "sha256:test"


def jpeg(picture: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


def face(seed: int = 4) -> bytes:
    return jpeg(draw_face(seed).picture)


def with_comment(picture: bytes) -> bytes:
    return picture[:2] + b"\xff\xfe\x00\x08Secret" + picture[2:]


@dataclass
class Officer:
    """Calls of one watch-list officer."""

    stub: Any
    token: str
    purpose: str = "test of the lists"

    def call(self, method: str, request: Any) -> Any:
        metadata = (("authorization", f"Bearer {self.token}"), ("tartip-purpose", self.purpose))
        # A channel whose server was killed may be waiting before it tries again.
        return getattr(self.stub, method)(
            request, timeout=CALL_SECONDS, metadata=metadata, wait_for_ready=True
        )

    def ask(self, **changes: Any) -> pb.Entry:
        return self.call("RequestEntry", asked(**changes)).entry  # type: ignore[no-any-return]

    def approve(self, entry_id: str) -> pb.Entry:
        request = pb.ApproveEntryRequest(entry_id=entry_id)
        return self.call("ApproveEntry", request).entry  # type: ignore[no-any-return]

    def withdraw(self, entry_id: str) -> pb.Entry:
        request = pb.WithdrawEntryRequest(entry_id=entry_id, reason="found")
        return self.call("WithdrawEntry", request).entry  # type: ignore[no-any-return]

    def candidates(self, entry_id: str) -> list[pb.Candidate]:
        request = pb.ListCandidatesRequest(entry_id=entry_id)
        return list(self.call("ListCandidates", request).candidates)

    def open(self, candidate_id: str) -> tuple[str, bytes]:
        request = pb.OpenEvidenceRequest(candidate_id=candidate_id)
        answers = list(self.call("OpenEvidence", request))
        content = b"".join(answer.content for answer in answers)
        assert answers[0].sha256 == hashlib.sha256(content).hexdigest()
        return answers[0].content_type, content

    def review(
        self, candidate_id: str, verdict: pb.Verdict = pb.VERDICT_SAME_PERSON
    ) -> pb.Candidate:
        request = pb.ReviewCandidateRequest(candidate_id=candidate_id, verdict=verdict)
        return self.call("ReviewCandidate", request).candidate  # type: ignore[no-any-return]


def asked(**changes: Any) -> pb.RequestEntryRequest:
    told: dict[str, Any] = {
        "entry_id": str(new_id()),
        "region": REGION,
        "basis": pb.BASIS_MISSING_PERSON,
        "case_number": "C-2026/17",
        "purpose": "to find somebody who is missed",
        "expires_at": to_timestamp(datetime.now(UTC) + timedelta(days=30)),
        "picture": face(),
    }
    return pb.RequestEntryRequest(**{**told, **changes})


@pytest.fixture
def as_officer(
    engines: RunningTestMesh, triton: Process, service: Process
) -> Iterator[Callable[[str], Officer]]:
    channel = grpc.secure_channel(
        engines.address(SERVICE), credentials(engines, "service", "operator-gateway")
    )
    stub = watchlists_pb2_grpc.WatchlistsStub(channel)
    yield lambda name: Officer(stub, engines.token(name))
    channel.close()


@pytest.fixture
def one(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-1")


@pytest.fixture
def other(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-2")


@pytest.fixture
def third(as_officer: Callable[[str], Officer]) -> Officer:
    return as_officer("watchlist-3")


@pytest.fixture
def in_force(one: Officer, other: Officer) -> Iterator[str]:
    """An entry that is searched for during the test."""
    entry_id = other.approve(one.ask().entry_id).entry_id
    yield entry_id
    one.withdraw(entry_id)


@dataclass
class Beside:
    """The same parts as in the service, in this process, on the same database and models."""

    db: Database
    lists: Lists
    eyes: Eyes
    vault: Vault
    watch: FaceWatch
    desk: WatchDesk

    async def see(
        self, picture: bytes, *, camera: Camera, at: datetime, keep: bool = True
    ) -> tuple[WatchedFaces, KeptFaces | None]:
        shown = await asyncio.to_thread(open_picture, picture)
        seen = await self.watch.look(
            shown, camera, at, content=lambda: picture, fingerprint=FINGERPRINT
        )
        seen = await seen.sealed()
        if not keep:
            return seen, None
        async with self.db.begin(Scope("device", "edge-1", (camera.region,))) as tx:
            return seen, await seen.keep(tx)


@asynccontextmanager
async def beside(
    engines: RunningTestMesh, *, later: timedelta = timedelta(0)
) -> AsyncIterator[Beside]:
    told = engines.environment(SERVICE)
    keyring = Keyring(engines.keys.folder / SERVICE)

    def clock() -> datetime:
        return system_clock() + later

    db = Database(told["TARTIP_DATABASE_URL"], service="test", keyring=keyring, clock=clock)
    pair = engines.certificates.service(SERVICE)
    models = TritonModels(
        told["TARTIP_TRITON_URL"],
        Credentials(pair.certificate, pair.key, engines.certificates.authority),
    )
    lists, looker, eyes = Lists(db), FaceDetector(models), Eyes(Detector(models))
    await lists.refresh()
    vault = Vault(db, SealedObjects(told["TARTIP_EVIDENCE_URL"]), clock)
    desk = WatchDesk(db, lists, eyes, looker, clock, vault)
    try:
        watch = FaceWatch(db, lists, looker, vault, clock)
        yield Beside(db, lists, eyes, vault, watch, desk)
    finally:
        await models.close()
        await db.close()


def camera(region: str = REGION) -> Camera:
    return Camera(new_id(), region, 1, "SN-1", b"k" * 32, False)


def audited(rows: Callable[[str], list[Any]], object_ref: str) -> list[tuple[str, str, str]]:
    entries = [json.loads(row["canonical"]) for row in rows("SELECT canonical FROM audit")]
    return [
        (entry["action"], entry["actor"], entry["purpose"])
        for entry in entries
        if entry["object"] == object_ref
    ]


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
    [row] = rows(
        "SELECT template_sealed, wrapped, destroyed_at FROM watch_entries"
        f" JOIN data_keys USING (key_id) WHERE entry_id = '{entry.entry_id}'"
    )
    assert row["template_sealed"] is None
    assert row["wrapped"] is None and row["destroyed_at"] is not None
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
            assert (again.evidence, kept_again.told) == (None, ())
            assert kept_again.faces[0].candidate_id == first.faces[0].candidate_id
            return first, kept_again

    first, _ = asyncio.run(pass_by())
    [seen], [told] = first.faces, first.told
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
            screening = Screening(
                subject, parts.eyes, parts.vault, configured=configured, faces=parts.watch
            )
            folder.rename(aside)
            folder.touch()  # no folder can be made there
            try:
                with pytest.raises(EvidenceAway):
                    await screening.take(Shot(0, 0.0, draw_face(4).picture, 0.0))
            finally:
                folder.unlink()
                aside.rename(folder)
            [settling] = await screening.tell()
            assert settling.faces is not None and settling.faces.has_candidates
            async with parts.db.begin(scope) as tx:
                assert len((await settling.faces.keep(tx)).told) == 1

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
            assert await parts.desk.sweep() >= 2

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
            assert kept.told == ()
            assert [each.verdict for each in kept.faces] == [FaceVerdict.UNKNOWN]
            await parts.lists.refresh()
            after, _ = await parts.see(face(), camera=camera(), at=datetime.now(UTC))
            assert not after.has_candidates

    asyncio.run(pass_by())
    assert one.candidates(entry_id) == []


def test_an_entry_past_its_time_ends_by_itself(
    engines: RunningTestMesh, one: Officer, other: Officer, rows: Callable[[str], list[Any]]
) -> None:
    soon = to_timestamp(datetime.now(UTC) + timedelta(days=2))
    entry = other.approve(one.ask(expires_at=soon).entry_id)

    async def later() -> None:
        async with beside(engines, later=timedelta(days=3)) as parts:
            assert await parts.desk.sweep() >= 1

    asyncio.run(later())
    listing = pb.ListEntriesRequest(state=pb.ENTRY_STATE_EXPIRED)
    ids = [each.entry_id for each in one.call("ListEntries", listing).entries]
    assert entry.entry_id in ids
    with refused("ENTRY_CLOSED"):
        other.approve(entry.entry_id)
    [row] = rows(
        "SELECT wrapped FROM watch_entries JOIN data_keys USING (key_id)"
        f" WHERE entry_id = '{entry.entry_id}'"
    )
    assert row["wrapped"] is None


def states(rows: Callable[[str], list[Any]], entry_id: str) -> list[tuple[str, bool]]:
    """(state, whether its frame is forgotten) of an entry's candidates, oldest first."""
    return [
        (row["state"], row["forgotten_at"] is not None)
        for row in rows(
            "SELECT state, forgotten_at FROM watch_candidates"
            f" WHERE entry_id = '{entry_id}' ORDER BY candidate_id"
        )
    ]


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
            await parts.desk.sweep()

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
            await parts.desk.sweep()

    asyncio.run(a_moment_after())
    assert states(rows, entry_id) == [("DISMISSED", True)]
    with refused("ENTRY_NOT_IN_FORCE"):
        third.review(candidate.candidate_id)


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
            assert {str(found.one.entry_id) for found in seen.found} == {in_force}

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
