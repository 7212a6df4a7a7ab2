"""The gRPC services `Personnel`, for administrators, and `Complaints`, for internal security."""

from datetime import datetime
from uuid import UUID

import grpc
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import check_text, read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from google.protobuf.message import Message
from law.regions import REGIONS
from tartip.reports.v1 import personnel_pb2 as pb
from tartip.reports.v1 import personnel_pb2_grpc

from citizen_reports.grpc_api.apps import report_id_of
from citizen_reports.model.personnel import (
    BADGE_MAX,
    LOG_IN_MAX,
    NAME_MAX,
    UNIT_MAX,
    Officer,
    OfficerName,
    Posting,
    Subject,
    Unit,
    UnitKind,
)
from citizen_reports.model.refusals import OfficerNotFound, PostingNotFound
from citizen_reports.usecases.complaints import Complaints
from citizen_reports.usecases.desk import Shown
from citizen_reports.usecases.personnel import Asked, Personnel

Context = grpc.aio.ServicerContext
KINDS = {kind: pb.UnitKind.Value(f"UNIT_KIND_{kind.name}") for kind in UnitKind}
KIND_OF = {value: kind for kind, value in KINDS.items()}
_PERSONNEL, _COMPLAINTS = "/tartip.reports.v1.Personnel/", "/tartip.reports.v1.Complaints/"
_ADMINISTRATORS = allow(roles=("personnel_administrator",), services=("tartip-cli",))
_READERS = allow(roles=("internal_security", "personnel_administrator"), services=("tartip-cli",))
_SECURITY = allow(roles=("internal_security",), purpose=True)
PERSONNEL_POLICY: Policy = {
    f"{_PERSONNEL}PutUnit": _ADMINISTRATORS,
    f"{_PERSONNEL}PutOfficer": _ADMINISTRATORS,
    f"{_PERSONNEL}AddPosting": _ADMINISTRATORS,
    f"{_PERSONNEL}EndPosting": _ADMINISTRATORS,
    f"{_PERSONNEL}ListUnits": _READERS,
    f"{_PERSONNEL}ListOfficers": _READERS,
}
COMPLAINTS_POLICY: Policy = {
    f"{_COMPLAINTS}ListCandidates": _SECURITY,
    f"{_COMPLAINTS}NameSubject": _SECURITY,
}


class PersonnelApi(personnel_pb2_grpc.PersonnelServicer):
    def __init__(self, personnel: Personnel, pages: Pages) -> None:
        self._personnel = personnel
        self._pages = pages

    async def PutUnit(self, request: pb.PutUnitRequest, context: Context) -> pb.PutUnitResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            unit = _unit_from_proto(check, request.unit)
        stored = await self._personnel.put_unit(unit, asked_of(request_id, request))
        return pb.PutUnitResponse(unit=_unit_to_proto(stored))

    async def PutOfficer(
        self, request: pb.PutOfficerRequest, context: Context
    ) -> pb.PutOfficerResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            officer = _officer_from_proto(check, request.officer)
        stored = await self._personnel.put_officer(officer, asked_of(request_id, request))
        return pb.PutOfficerResponse(officer=officer_to_proto(stored))

    async def AddPosting(
        self, request: pb.AddPostingRequest, context: Context
    ) -> pb.AddPostingResponse:
        with checks() as check:
            posting = _posting_from_proto(check, request.posting)
        stored = await self._personnel.add_posting(
            _officer_id_of(request.officer_id), posting, asked_of(posting.posting_id, request)
        )
        return pb.AddPostingResponse(officer=officer_to_proto(stored))

    async def EndPosting(
        self, request: pb.EndPostingRequest, context: Context
    ) -> pb.EndPostingResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            ends_at = read_moment(check, "ends_at", request.ends_at)
        posting_id = parse_id(request.posting_id)
        if posting_id is None:
            raise PostingNotFound
        stored = await self._personnel.end_posting(
            posting_id, ends_at, asked_of(request_id, request)
        )
        return pb.EndPostingResponse(officer=officer_to_proto(stored))

    async def ListUnits(
        self, request: pb.ListUnitsRequest, context: Context
    ) -> pb.ListUnitsResponse:
        page = self._pages.read(request, current_caller())
        after = page.spec.after[0] if page.spec.after else ""
        found = await self._personnel.units(
            after=after, size=page.spec.size, caller=current_caller()
        )
        return pb.ListUnitsResponse(
            units=[_unit_to_proto(unit) for unit in found],
            next_page_token=page.next_token([(unit.unit,) for unit in found]),
        )

    async def ListOfficers(
        self, request: pb.ListOfficersRequest, context: Context
    ) -> pb.ListOfficersResponse:
        page = self._pages.read(request, current_caller())
        found = await self._personnel.officers(
            request.unit,
            after=_id_after(page.spec.after),
            size=page.spec.size,
            caller=current_caller(),
        )
        return pb.ListOfficersResponse(
            officers=[officer_to_proto(officer) for officer in found],
            next_page_token=page.next_token([(str(officer.officer_id),) for officer in found]),
        )


class ComplaintsApi(personnel_pb2_grpc.ComplaintsServicer):
    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints

    async def ListCandidates(
        self, request: pb.ListCandidatesRequest, context: Context
    ) -> pb.ListCandidatesResponse:
        found = await self._complaints.candidates(report_id_of(request.report_id), current_caller())
        return pb.ListCandidatesResponse(
            candidates=[officer_to_proto(officer) for officer in found.officers],
            subject=_subject_to_proto(found.subject) if found.subject else None,
        )

    async def NameSubject(
        self, request: pb.NameSubjectRequest, context: Context
    ) -> pb.NameSubjectResponse:
        given = request.subject
        officer_id = _officer_id_of(given.officer_id) if given.officer_id else None
        subject = Subject(officer_id, given.unit)
        shown = Shown(report_id_of(request.report_id), request.version)
        hidden = await self._complaints.name_subject(shown, subject, current_caller())
        return pb.NameSubjectResponse(subject=_subject_to_proto(subject), hidden=hidden)


def officer_to_proto(officer: Officer) -> pb.Officer:
    return pb.Officer(
        officer_id=str(officer.officer_id),
        log_in=officer.log_in,
        badge=officer.badge,
        kk=pb.OfficerName(family=officer.kk.family, given=officer.kk.given),
        ru=pb.OfficerName(family=officer.ru.family, given=officer.ru.given),
        postings=[
            pb.Posting(
                posting_id=str(posting.posting_id),
                unit=posting.unit,
                starts_at=to_timestamp(posting.starts_at),
                ends_at=to_timestamp(posting.ends_at),
            )
            for posting in officer.postings
        ],
    )


def _unit_to_proto(unit: Unit) -> pb.Unit:
    return pb.Unit(
        unit=unit.unit,
        kind=KINDS[unit.kind],
        parent=unit.parent,
        region=unit.region,
        name_kk=unit.name_kk,
        name_ru=unit.name_ru,
        valid_from=to_timestamp(unit.valid_from),
        valid_until=to_timestamp(unit.valid_until),
    )


def _subject_to_proto(subject: Subject) -> pb.Subject:
    return pb.Subject(officer_id=str(subject.officer_id or ""), unit=subject.unit)


def _unit_from_proto(check: Checks, given: pb.Unit) -> Unit:
    name_is_right = given.unit.replace("-", "").isalnum() and given.unit.isascii()
    check.that(
        name_is_right and len(given.unit) <= UNIT_MAX,
        "unit.unit",
        f"1 to {UNIT_MAX} letters, digits and hyphens",
    )
    kind = KIND_OF.get(given.kind)
    check.that(kind is not None, "unit.kind", "one of the kinds of units")
    known = not given.region or given.region in REGIONS
    check.that(known, "unit.region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
    for field, text in (("unit.name_kk", given.name_kk), ("unit.name_ru", given.name_ru)):
        check_text(check, field, text, longest=NAME_MAX, required=True)
    valid_from = read_moment(check, "unit.valid_from", given.valid_from)
    valid_until = None
    if given.HasField("valid_until"):
        valid_until = read_moment(check, "unit.valid_until", given.valid_until)
        check.that(valid_until >= valid_from, "unit.valid_until", "not before valid_from")
    return Unit(
        unit=given.unit,
        kind=kind or UnitKind.DESK,
        parent=given.parent,
        region=given.region,
        name_kk=given.name_kk,
        name_ru=given.name_ru,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _officer_from_proto(check: Checks, given: pb.Officer) -> Officer:
    officer_id = read_new_id(check, "officer.officer_id", given.officer_id)
    check_text(check, "officer.log_in", given.log_in, longest=LOG_IN_MAX)
    check_text(check, "officer.badge", given.badge, longest=BADGE_MAX)
    for language, name in (("kk", given.kk), ("ru", given.ru)):
        check_text(
            check, f"officer.{language}.family", name.family, longest=NAME_MAX, required=True
        )
        check_text(check, f"officer.{language}.given", name.given, longest=NAME_MAX)
    kk, ru = (OfficerName(name.family, name.given) for name in (given.kk, given.ru))
    return Officer(officer_id, given.log_in.strip(), given.badge.strip(), kk, ru)


def _posting_from_proto(check: Checks, given: pb.Posting) -> Posting:
    posting_id = read_new_id(check, "posting.posting_id", given.posting_id)
    starts_at = read_moment(check, "posting.starts_at", given.starts_at)
    ends_at: datetime | None = None
    if given.HasField("ends_at"):
        ends_at = read_moment(check, "posting.ends_at", given.ends_at)
        check.that(ends_at >= starts_at, "posting.ends_at", "not before the posting begins")
    return Posting(posting_id, given.unit, starts_at, ends_at)


def asked_of(request_id: UUID, request: Message) -> Asked:
    """Return the caller's request with its serialised content."""
    content = request.SerializeToString(deterministic=True)
    return Asked(request_id, content, current_caller())


def _officer_id_of(text: str) -> UUID:
    """Return the officer id in `text`. Raises OfficerNotFound where `text` is not a UUIDv7."""
    parsed = parse_id(text)
    if parsed is None:
        raise OfficerNotFound
    return parsed


def _id_after(after: tuple[str, ...]) -> UUID | None:
    """Return the id in a page token, None for the first page. Raises PageTokenWrong."""
    if not after:
        return None
    parsed = parse_id(after[0])
    if parsed is None:
        raise PageTokenWrong
    return parsed
