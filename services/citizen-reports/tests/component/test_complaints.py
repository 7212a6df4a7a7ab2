"""A complaint about an officer is hidden from him, his units and those above and below them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip.reports.v1 import personnel_pb2 as staff
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import SERVICE, As, Register, complaint, draft, refused, until
from .test_secrecy import attempts_of

badges = itertools.count(700_000)
# Family names that no other test uses: a complaint must not mean officers of other tests.
families = (f"Тестов{chr(1072 + n // 32)}{chr(1072 + n % 32)}" for n in itertools.count())

Posted = Callable[..., Awaitable[staff.Officer]]


@pytest.fixture
def posted(administrator: As) -> Posted:
    async def post(unit: str, *, log_in: str = "", since_days: float = 300) -> staff.Officer:
        """A new officer with a posting that began so many days ago."""
        officer = an_officer(log_in=log_in)
        await administrator.of_personnel(
            "PutOfficer", staff.PutOfficerRequest(request_id=str(new_id()), officer=officer)
        )
        return await post_to(administrator, officer.officer_id, unit, since_days=since_days)

    return post


def an_officer(**changes: Any) -> staff.Officer:
    family = next(families)
    name = staff.OfficerName(family=family, given="Тест")
    given: dict[str, Any] = {
        "officer_id": str(new_id()),
        "badge": str(next(badges)),
        "kk": name,
        "ru": name,
    }
    return staff.Officer(**given | changes)


async def post_to(
    administrator: As, officer_id: str, unit: str, *, since_days: float = 300
) -> staff.Officer:
    began = to_timestamp(system_clock() - timedelta(days=since_days))
    posting = staff.Posting(posting_id=str(new_id()), unit=unit, starts_at=began)
    request = staff.AddPostingRequest(officer_id=officer_id, posting=posting)
    answer: staff.AddPostingResponse = await administrator.of_personnel("AddPosting", request)
    return answer.officer


async def end(administrator: As, posting: staff.Posting) -> None:
    request = staff.EndPostingRequest(
        request_id=str(new_id()),
        posting_id=posting.posting_id,
        ends_at=to_timestamp(system_clock()),
    )
    await administrator.of_personnel("EndPosting", request)


def lasting(officer: staff.Officer, unit: str) -> staff.Posting:
    """The posting to this unit that has not ended."""
    postings = (one for one in officer.postings if not one.HasField("ends_at"))
    return next(one for one in postings if one.unit == unit)


async def own_officer(administrator: As, log_in: str) -> staff.Officer:
    request = staff.ListOfficersRequest()
    request.page.size = 200
    answer: staff.ListOfficersResponse = await administrator.of_personnel("ListOfficers", request)
    return next(officer for officer in answer.officers if officer.log_in == log_in)


async def sees(one: As, report_id: str) -> bool:
    """Whether an operator sees a complaint; the ways that show it must all say the same."""
    request = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    listed: set[str] = set()
    request.page.size = 200
    while True:
        answer = await one.at_desk("ListReports", request)
        listed |= {row.report.report_id for row in answer.reports}
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            break
    get = pb.ReportDeskGetReportRequest(report_id=report_id)
    if report_id in listed:
        await one.at_desk("GetReport", get)
        await one.of_complaints("ListCandidates", staff.ListCandidatesRequest(report_id=report_id))
        return True
    assert (await refused(one.at_desk("GetReport", get))).code == "REPORT_NOT_FOUND"
    asked = staff.ListCandidatesRequest(report_id=report_id)
    refusal = await refused(one.of_complaints("ListCandidates", asked))
    assert refusal.code == "REPORT_NOT_FOUND"
    return False


def of_now() -> pb.OpenReportRequest:
    """A complaint about what happens now: postings that other tests have ended do not count."""
    return complaint(occurred=system_clock())


def naming(report_id: str, **subject: str) -> staff.NameSubjectRequest:
    return staff.NameSubjectRequest(report_id=report_id, subject=staff.Subject(**subject))


async def test_a_role_alone_shows_no_complaint_without_a_posting_to_internal_security(
    as_: Callable[..., As], administrator: As, security: As, register: Register
) -> None:
    report_id, _ = await register(complaint())
    other = as_(operator="security-2")
    assert await sees(security, report_id) and await sees(other, report_id)
    officer = await own_officer(administrator, "security-2")
    [posting] = officer.postings
    await end(administrator, posting)
    assert not await sees(other, report_id)
    await post_to(administrator, officer.officer_id, "inspectorate", since_days=0)
    assert await sees(other, report_id)


@pytest.mark.parametrize("at_once", [False, True], ids=["in two calls", "at once"])
@pytest.mark.parametrize("named_by", ["badge", "log-in", "family name"])
async def test_who_may_be_meant_is_kept_out_until_it_is_settled(
    as_: Callable[..., As],
    administrator: As,
    security: As,
    register: Register,
    kaspi: As,
    named_by: str,
    at_once: bool,
) -> None:
    officer = await own_officer(administrator, "security-2")
    changed = staff.Officer()
    changed.CopyFrom(officer)
    changed.ClearField("postings")
    changed.badge = str(next(badges))
    request = staff.PutOfficerRequest(request_id=str(new_id()), officer=changed)
    await administrator.of_personnel("PutOfficer", request)
    words = {
        "badge": f"badge {changed.badge}",
        "log-in": "the one called SECURITY-2",
        "family name": "полицейским Akhmetov'ым, подполковником",
    }[named_by]
    given = complaint(officer=words)
    if at_once:
        await kaspi.app("HandInReport", pb.HandInReportRequest(report=given))
    else:
        await register(given)
    report_id = given.report_id
    other = as_(operator="security-2")
    assert not await sees(other, report_id)
    assert await sees(security, report_id)
    asked = staff.ListCandidatesRequest(report_id=report_id)
    found = await security.of_complaints("ListCandidates", asked)
    assert [one.officer_id for one in found.candidates] == [officer.officer_id]
    assert not found.HasField("subject")
    # Somebody else it was.
    stranger = an_officer()
    request = staff.PutOfficerRequest(request_id=str(new_id()), officer=stranger)
    await administrator.of_personnel("PutOfficer", request)
    answer = await security.of_complaints(
        "NameSubject", naming(report_id, officer_id=stranger.officer_id)
    )
    assert not answer.hidden
    assert await sees(other, report_id)


async def test_an_officer_who_is_added_later_is_kept_out_of_the_complaint_that_means_him(
    as_: Callable[..., As], administrator: As, security: As, register: Register
) -> None:
    badge = str(next(badges))
    report_id, _ = await register(complaint(officer=f"жетон {badge}"))
    other = as_(operator="security-2")
    assert await sees(other, report_id)
    changed = await own_officer(administrator, "security-2")
    changed.ClearField("postings")
    changed.badge = badge
    request = staff.PutOfficerRequest(request_id=str(new_id()), officer=changed)
    await administrator.of_personnel("PutOfficer", request)

    async def compared() -> bool:
        asked = staff.ListCandidatesRequest(report_id=report_id)
        return bool((await security.of_complaints("ListCandidates", asked)).candidates)

    await until(compared)
    assert not await sees(other, report_id)
    assert await sees(security, report_id)


@pytest.mark.parametrize(
    ("unit", "where"),
    [
        ("KZ-75-duty", "the same unit"),
        ("KZ-75", "the unit above"),
        ("mia", "the top of the chain"),
    ],
)
async def test_the_chain_of_the_officer_is_kept_out_then_and_now(
    as_: Callable[..., As],
    administrator: As,
    security: As,
    register: Register,
    posted: Posted,
    unit: str,
    where: str,
) -> None:
    subject = await posted("KZ-75-duty")
    report_id, _ = await register(complaint())
    other = as_(operator="security-2")
    watching = await own_officer(administrator, "security-2")
    served = await post_to(administrator, watching.officer_id, unit, since_days=100)
    await security.of_complaints("NameSubject", naming(report_id, officer_id=subject.officer_id))
    assert not await sees(other, report_id), where
    newest = next(
        one for one in served.postings if one.unit == unit and not one.HasField("ends_at")
    )
    await end(administrator, newest)
    assert not await sees(other, report_id), "he served there when it happened"
    later, _ = await register(of_now())
    await security.of_complaints("NameSubject", naming(later, officer_id=subject.officer_id))
    assert await sees(other, later), "what happened after he had left"


async def test_the_local_chain_is_kept_out_while_the_officer_is_not_known(
    as_: Callable[..., As], administrator: As, security: As, register: Register, posted: Posted
) -> None:
    other = as_(operator="security-2")
    watching = await own_officer(administrator, "security-2")
    served = await post_to(administrator, watching.officer_id, "KZ-75-traffic", since_days=50)
    report_id, _ = await register(of_now())
    assert not await sees(other, report_id)
    await security.of_complaints("NameSubject", naming(report_id))  # looked for, and not known
    assert not await sees(other, report_id)
    stranger = await posted("KZ-10-duty")
    await security.of_complaints("NameSubject", naming(report_id, officer_id=stranger.officer_id))
    assert await sees(other, report_id)
    await end(administrator, lasting(served, "KZ-75-traffic"))


async def test_who_settles_that_it_is_about_himself_does_not_see_it_again(
    administrator: As, security: As, as_: Callable[..., As], register: Register, db: Database
) -> None:
    report_id, _ = await register(of_now())
    himself = await own_officer(administrator, "security-1")
    answer = await security.of_complaints(
        "NameSubject", naming(report_id, officer_id=himself.officer_id)
    )
    assert answer.hidden
    assert not await sees(security, report_id)
    assert len(await attempts_of(db, "security-1", report_id)) == 2
    assert await sees(as_(operator="security-2"), report_id), "of another branch"


async def test_attempts_of_others_do_not_tell_of_a_complaint_about_who_lists_them(
    as_: Callable[..., As], dispatcher: As, security: As, register: Register
) -> None:
    report_id, receipt = await register(of_now())
    get = pb.ReportDeskGetReportRequest(report_id=report_id)
    assert (await refused(dispatcher.at_desk("GetReport", get))).code == "REPORT_NOT_FOUND"
    other = as_(operator="security-2")
    ref = f"report:{receipt.number}"
    assert ref in await attempted(security) and ref in await attempted(other)
    await security.of_complaints("NameSubject", naming(report_id, unit="inspectorate"))
    assert ref in await attempted(security)
    assert ref not in await attempted(other)


async def attempted(one: As) -> set[str]:
    """The objects of the newest attempts that an operator is shown."""
    request = audit_pb2.ListAttemptsRequest()
    request.page.size = 200
    audit = audit_pb2_grpc.AuditStub(one.channels.to(one.address, SERVICE))
    answer = await audit.ListAttempts(request, timeout=10, metadata=one.metadata)
    return {attempt.object for attempt in answer.attempts}


async def test_the_unit_complained_about_is_kept_out_without_an_officer(
    as_: Callable[..., As], security: As, register: Register
) -> None:
    report_id, _ = await register(complaint())
    await security.of_complaints("NameSubject", naming(report_id, unit="inspectorate"))
    assert not await sees(as_(operator="security-2"), report_id)
    assert await sees(security, report_id)


async def test_a_wrong_subject_is_refused_by_name(security: As, register: Register) -> None:
    report_id, _ = await register(complaint())
    for subject, code in (
        ({"unit": "KZ-75-nowhere"}, "UNIT_UNKNOWN"),
        ({"officer_id": str(new_id())}, "OFFICER_NOT_FOUND"),
        ({"officer_id": "4711"}, "OFFICER_NOT_FOUND"),
        ({"officer_id": str(new_id()), "unit": "KZ-75"}, "BAD_REQUEST"),
    ):
        refusal = await refused(security.of_complaints("NameSubject", naming(report_id, **subject)))
        assert refusal.code == code
    stale = naming(report_id, unit="KZ-75")
    stale.version = 99
    refusal = await refused(security.of_complaints("NameSubject", stale))
    assert refusal.code == "REPORT_CHANGED_MEANWHILE"


async def test_the_open_reports_of_an_ended_posting_have_no_operator(
    dispatcher: As, administrator: As, register: Register
) -> None:
    officer = await own_officer(administrator, "dispatcher-almaty")
    officer = await post_to(administrator, officer.officer_id, "KZ-75-traffic", since_days=9)
    report_id, receipt = await register(draft())
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    await end(administrator, lasting(officer, receipt.unit))

    async def released() -> bool:
        get = pb.ReportDeskGetReportRequest(report_id=report_id)
        shown = (await dispatcher.at_desk("GetReport", get)).report
        return (shown.operator, shown.report.status) == ("", pb.REPORT_STATUS_ROUTED)

    await until(released)
