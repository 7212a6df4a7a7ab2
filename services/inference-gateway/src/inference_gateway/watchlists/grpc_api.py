"""`tartip.inference.v1.Watchlists`: converts between protobuf and the use cases."""

import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import from_timestamp, parse_id, to_timestamp
from chassis.fields import read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages, PageSpec
from chassis.refusals import Checks, PageTokenWrong, checks
from tartip.inference.v1 import watchlists_pb2 as pb
from tartip.inference.v1 import watchlists_pb2_grpc

from inference_gateway.evidence.messages import in_pieces
from inference_gateway.frames.events import box_to_proto
from inference_gateway.watchlists.model import (
    REASON_MAX,
    Asked,
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
from inference_gateway.watchlists.storage import OFFICER
from inference_gateway.watchlists.usecases import WatchlistDesk

_SERVICE = "/tartip.inference.v1.Watchlists/"
_OFFICERS = allow(roles=(OFFICER,), purpose=True)
POLICY: Policy = {
    _SERVICE + method: _OFFICERS
    for method in (
        "RequestEntry",
        "ApproveEntry",
        "WithdrawEntry",
        "ListEntries",
        "ListCandidates",
        "OpenEvidence",
        "ReviewCandidate",
    )
}
REGION = re.compile(r"KZ-\d{2}")


class WatchlistsApi(watchlists_pb2_grpc.WatchlistsServicer):
    def __init__(self, desk: WatchlistDesk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    async def RequestEntry(
        self, request: pb.RequestEntryRequest, context: grpc.aio.ServicerContext
    ) -> pb.RequestEntryResponse:
        caller = current_caller()
        with checks() as check:
            asked = read_asked(check, request)
            self._desk.check(check, asked, caller)
        telemetry.annotate(entry=request.entry_id)
        entry = await self._desk.request(asked, request.picture, caller)
        return pb.RequestEntryResponse(entry=entry_to_proto(entry))

    async def ApproveEntry(
        self, request: pb.ApproveEntryRequest, context: grpc.aio.ServicerContext
    ) -> pb.ApproveEntryResponse:
        entry = await self._desk.approve(_entry_id(request.entry_id), current_caller())
        return pb.ApproveEntryResponse(entry=entry_to_proto(entry))

    async def WithdrawEntry(
        self, request: pb.WithdrawEntryRequest, context: grpc.aio.ServicerContext
    ) -> pb.WithdrawEntryResponse:
        with checks() as check:
            _check_reason(check, request.reason)
        entry = await self._desk.withdraw(
            _entry_id(request.entry_id), request.reason, current_caller()
        )
        return pb.WithdrawEntryResponse(entry=entry_to_proto(entry))

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListEntriesResponse:
        with checks() as check:
            known = request.state in pb.EntryState.values()
            check.that(known, "state", "must be a state, or nothing")
        name = pb.EntryState.Name(request.state).removeprefix("ENTRY_STATE_")
        state = EntryState(name) if request.state else None
        page = self._pages.read(request, current_caller())
        found = await self._desk.entries(
            state, after=_after(page.spec), size=page.spec.size, caller=current_caller()
        )
        keys: list[tuple[str, ...]] = [(str(entry.entry_id),) for entry in found]
        return pb.ListEntriesResponse(
            entries=[entry_to_proto(entry) for entry in found],
            next_page_token=page.next_token(keys),
        )

    async def ListCandidates(
        self, request: pb.ListCandidatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListCandidatesResponse:
        with checks() as check:
            known = request.state in pb.CandidateState.values()
            check.that(known, "state", "must be a state, or nothing")
            entry_id = parse_id(request.entry_id)
            right = entry_id is not None or not request.entry_id
            check.that(right, "entry_id", "must be a UUIDv7 in lower case, or nothing")
        name = pb.CandidateState.Name(request.state).removeprefix("CANDIDATE_STATE_")
        state = CandidateState(name) if request.state else None
        page = self._pages.read(request, current_caller())
        found = await self._desk.candidates(
            entry_id=entry_id,
            state=state,
            before=_after(page.spec),
            size=page.spec.size,
            caller=current_caller(),
        )
        keys: list[tuple[str, ...]] = [(str(one.candidate_id),) for one in found]
        return pb.ListCandidatesResponse(
            candidates=[candidate_to_proto(one) for one in found],
            next_page_token=page.next_token(keys),
        )

    async def OpenEvidence(
        self, request: pb.OpenEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.OpenEvidenceResponse]:
        candidate_id = parse_id(request.candidate_id)
        if candidate_id is None:
            raise CandidateNotFound
        shown = await self._desk.open_evidence(candidate_id, current_caller())
        for message in in_pieces(shown, pb.OpenEvidenceResponse):
            yield message

    async def ReviewCandidate(
        self, request: pb.ReviewCandidateRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReviewCandidateResponse:
        with checks() as check:
            known = request.verdict in pb.Verdict.values() and request.verdict
            check.that(bool(known), "verdict", "VERDICT_SAME_PERSON or VERDICT_OTHER_PERSON")
            _check_reason(check, request.reason)
        candidate_id = parse_id(request.candidate_id)
        if candidate_id is None:
            raise CandidateNotFound
        verdict = Verdict(pb.Verdict.Name(request.verdict).removeprefix("VERDICT_"))
        one = await self._desk.review(candidate_id, verdict, request.reason, current_caller())
        return pb.ReviewCandidateResponse(candidate=candidate_to_proto(one))


def read_asked(check: Checks, request: pb.RequestEntryRequest) -> Asked:
    """Convert a request for a watch-list entry. Wrong fields are added to `check`; if there are
    any, the result must not be used."""
    entry_id = read_new_id(check, "entry_id", request.entry_id)
    check.that(bool(REGION.fullmatch(request.region)), "region", "must be as KZ-75")
    check.that(len(request.picture) > 0, "picture", "must hold a picture")
    known = request.basis in pb.Basis.values() and request.basis
    basis = Basis(pb.Basis.Name(request.basis).removeprefix("BASIS_")) if known else None
    return Asked(
        entry_id,
        request.region,
        basis,
        request.case_number,
        request.purpose,
        _expires_at(request),
        hashlib.sha256(request.picture).digest(),
    )


def entry_to_proto(entry: Entry) -> pb.Entry:
    return pb.Entry(
        entry_id=str(entry.entry_id),
        region=entry.region,
        basis=pb.Basis.Value(f"BASIS_{entry.basis.value}"),
        case_number=entry.case_number,
        purpose=entry.purpose,
        requested_by=entry.requested_by,
        approved_by=entry.approved_by,
        requested_at=to_timestamp(entry.requested_at),
        approved_at=to_timestamp(entry.approved_at),
        expires_at=to_timestamp(entry.expires_at),
        state=pb.EntryState.Value(f"ENTRY_STATE_{entry.state.value}"),
    )


def candidate_to_proto(one: Candidate) -> pb.Candidate:
    return pb.Candidate(
        candidate_id=str(one.candidate_id),
        entry_id=str(one.entry_id),
        camera_id=str(one.camera_id),
        region=one.region,
        captured_at=to_timestamp(one.captured_at),
        closeness=one.closeness,
        evidence_sha256=one.evidence_sha256,
        box=box_to_proto(one.box),
        state=pb.CandidateState.Value(f"CANDIDATE_STATE_{one.state.value}"),
        reviews=[_review_to_proto(review) for review in one.reviews],
        models_fingerprint=one.models_fingerprint,
    )


def _review_to_proto(review: Review) -> pb.Review:
    return pb.Review(
        reviewer=review.reviewer,
        verdict=pb.Verdict.Value(f"VERDICT_{review.verdict.value}"),
        reason=review.reason,
        reviewed_at=to_timestamp(review.reviewed_at),
    )


def _expires_at(request: pb.RequestEntryRequest) -> datetime:
    """The expiry; if it is missing or invalid, a moment in the past, which validation refuses."""
    try:
        if request.HasField("expires_at"):
            return from_timestamp(request.expires_at)
    except (ValueError, OverflowError):
        pass
    return datetime.fromtimestamp(0, UTC)


def _check_reason(check: Checks, reason: str) -> None:
    right = len(reason) <= REASON_MAX and "\x00" not in reason
    check.that(right, "reason", f"at most {REASON_MAX} characters")


def _entry_id(text: str) -> UUID:
    entry_id = parse_id(text)
    if entry_id is None:
        raise EntryNotFound
    return entry_id


def _after(spec: PageSpec) -> UUID | None:
    if not spec.after:
        return None
    after = parse_id(spec.after[0])
    if after is None:
        raise PageTokenWrong
    return after
