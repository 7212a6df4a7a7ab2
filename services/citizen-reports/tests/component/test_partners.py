"""An app is what its row says: scopes, kinds of reports, an end also of streams that are open."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import grpc
import pytest
from chassis.clock import new_id
from chassis.grpc_status import from_error
from tartip.partners.v1 import partners_pb2 as partners
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, draft, refused

REPORTS, PAYMENTS = partners.PARTNER_SCOPE_REPORTS, partners.PARTNER_SCOPE_PAYMENTS
TRAFFIC, INCIDENT = pb.CATEGORY_TRAFFIC_VIOLATION, pb.CATEGORY_INCIDENT
NewApp = Callable[[], tuple[str, As]]


@pytest.fixture
def administrator(as_: Callable[..., As]) -> As:
    return as_(operator="partners-1")


@pytest.fixture
def new_app(engines: RunningTestMesh, as_: Callable[..., As]) -> NewApp:
    """An app with a valid certificate that is registered nowhere."""

    def make() -> tuple[str, As]:
        name = f"app-{new_id().hex[-12:]}"
        engines.certificates.issue_partner(name)
        return name, as_(name)

    return make


async def add(administrator: As, name: str, *scopes: Any, **terms: Any) -> partners.Partner:
    request = partners.AddPartnerRequest(request_id=str(new_id()), name=name)
    request.terms.MergeFrom(partners.PartnerTerms(scopes=scopes, **terms))
    found: partners.Partner = (await administrator.of_partners("AddPartner", request)).partner
    return found


async def change(administrator: As, partner: partners.Partner, **terms: Any) -> None:
    request = partners.ChangePartnerRequest(
        request_id=str(new_id()),
        name=partner.name,
        version=partner.version,
        terms=partners.PartnerTerms(**terms),
    )
    await administrator.of_partners("ChangePartner", request)


def submission(opened: pb.OpenReportRequest) -> pb.SubmitReportRequest:
    return pb.SubmitReportRequest(report_id=opened.report_id)


async def test_an_app_without_a_row_or_scope_hands_nothing_in(
    new_app: NewApp, administrator: As
) -> None:
    name, app = new_app()
    assert (await refused(app.app("OpenReport", draft()))).reason == "PARTNER_UNKNOWN"
    await add(administrator, name, PAYMENTS)
    refusal = await refused(app.app("OpenReport", draft()))
    assert (refusal.reason, refusal.facts) == ("SCOPE_MISSING", {"scope": "reports"})


async def test_an_app_hands_in_the_kinds_of_its_row_alone(
    new_app: NewApp, administrator: As
) -> None:
    name, app = new_app()
    partner = await add(administrator, name, REPORTS, kinds=[TRAFFIC])
    traffic, incident = draft(category=TRAFFIC), draft(category=INCIDENT)
    await app.app("OpenReport", traffic)
    refusal = await refused(app.app("OpenReport", incident))
    assert (refusal.reason, refusal.facts) == ("REPORT_KIND_NOT_ALLOWED", {"kind": "incident"})

    await change(administrator, partner, scopes=[REPORTS], kinds=[INCIDENT])
    await app.app("OpenReport", incident)  # its id was not used up by the refusal
    refusal = await refused(app.app("SubmitReport", submission(traffic)))
    assert refusal.reason == "REPORT_KIND_NOT_ALLOWED"
    opened = await app.app("OpenReport", traffic)  # what was answered is answered again
    assert opened.report.status == pb.REPORT_STATUS_OPEN


async def test_an_app_hands_in_at_once_the_kinds_of_its_row_alone(
    new_app: NewApp, administrator: As
) -> None:
    name, app = new_app()
    partner = await add(administrator, name, REPORTS, kinds=[TRAFFIC])
    requests = [pb.HandInReportRequest(report=draft(category=kind)) for kind in (TRAFFIC, INCIDENT)]
    drafted = draft(category=TRAFFIC)
    await app.app("OpenReport", drafted)
    first = await app.app("HandInReport", requests[0])
    refusal = await refused(app.app("HandInReport", requests[1]))
    assert (refusal.reason, refusal.facts) == ("REPORT_KIND_NOT_ALLOWED", {"kind": "incident"})

    await change(administrator, partner, scopes=[REPORTS], kinds=[INCIDENT])
    await app.app("HandInReport", requests[1])  # its id was not used up by the refusal
    assert await app.app("HandInReport", requests[0]) == first
    refusal = await refused(app.app("HandInReport", pb.HandInReportRequest(report=drafted)))
    assert refusal.reason == "REPORT_KIND_NOT_ALLOWED"


async def test_a_receipt_is_answered_again_whatever_the_kinds_are_now(
    new_app: NewApp, administrator: As
) -> None:
    name, app = new_app()
    partner = await add(administrator, name, REPORTS)
    traffic = draft(category=TRAFFIC)
    await app.app("OpenReport", traffic)
    receipt = await app.app("SubmitReport", submission(traffic))
    await change(administrator, partner, scopes=[REPORTS], kinds=[INCIDENT])
    assert await app.app("SubmitReport", submission(traffic)) == receipt


async def test_an_open_stream_ends_by_name_when_its_partner_is_revoked(
    new_app: NewApp, administrator: As
) -> None:
    name, app = new_app()
    await add(administrator, name, REPORTS)
    changes = app.watch("0")
    opened = draft()
    await app.app("OpenReport", opened)
    await app.app("SubmitReport", submission(opened))
    async with asyncio.timeout(60):
        assert (await changes.read()).report_id == opened.report_id
        request = partners.RevokePartnerRequest(
            request_id=str(new_id()), name=name, reason="contract ended"
        )
        await administrator.of_partners("RevokePartner", request)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            while True:
                await changes.read()
    assert from_error(ended.value).reason == "PARTNER_REVOKED"


async def test_partners_of_a_trial_have_a_row_from_the_start(
    engines: RunningTestMesh, service: str, administrator: As
) -> None:
    request = partners.GetPartnerRequest(name="egov")
    found = (await administrator.of_partners("GetPartner", request)).partner
    assert (found.changed_by, len(found.terms.scopes)) == ("system/trial", 4)
    connection = await asyncpg.connect(engines.database.url)
    try:
        entries = await connection.fetchval(
            "SELECT count(*) FROM citizen_reports.audit"
            " WHERE convert_from(canonical, 'UTF8')::jsonb->>'object' = 'partner:egov'"
        )
    finally:
        await connection.close()
    assert entries == 1
