"""A bank is what its row says: added, narrowed, revoked and added again while the service runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id
from chassis.transaction import Scope
from partners.model import PartnerScope
from tartip.fines.v1 import fines_pb2
from tartip.partners.v1 import partners_pb2 as pb
from tartip.reports.v1 import reports_pb2
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, until

LOOK_UPS, PAYMENTS = pb.PARTNER_SCOPE_LOOK_UPS, pb.PARTNER_SCOPE_PAYMENTS
LOOK_UP = ("LookupFines", fines_pb2.LookupFinesRequest(number="000000000000000"))
PAYMENT_LIST = ("ListPayments", fines_pb2.ListPaymentsRequest())
NewBank = Callable[[], tuple[str, As]]


@pytest.fixture
def administrator(operator: Callable[[str], As]) -> As:
    return operator("partners-1")


@pytest.fixture
def new_bank(engines: RunningTestMesh, as_: Callable[..., As]) -> NewBank:
    """A bank with a valid certificate that is registered nowhere."""

    def make() -> tuple[str, As]:
        name = f"bank-{new_id().hex[-12:]}"
        engines.certificates.issue_partner(name)
        return name, as_(name, kind="partner")

    return make


def terms(*scopes: Any, **more: Any) -> pb.PartnerTerms:
    return pb.PartnerTerms(scopes=scopes, **more)


def addition(name: str, *scopes: Any, **more: Any) -> pb.AddPartnerRequest:
    return pb.AddPartnerRequest(request_id=str(new_id()), name=name, terms=terms(*scopes, **more))


def change_of(partner: pb.Partner, *scopes: Any, **more: Any) -> pb.ChangePartnerRequest:
    return pb.ChangePartnerRequest(
        request_id=str(new_id()),
        name=partner.name,
        version=partner.version,
        terms=terms(*scopes, **more),
    )


def revocation(name: str) -> pb.RevokePartnerRequest:
    return pb.RevokePartnerRequest(request_id=str(new_id()), name=name, reason="contract ended")


async def audited(database: Any, name: str) -> list[str]:
    return [
        row["action"]
        for row in await database.fetch(
            "SELECT convert_from(canonical, 'UTF8')::jsonb->>'action' AS action FROM audit"
            " WHERE convert_from(canonical, 'UTF8')::jsonb->>'object' = $1 ORDER BY position",
            f"partner:{name}",
        )
    ]


async def test_a_bank_is_added_narrowed_revoked_and_added_again_without_a_restart(
    new_bank: NewBank, administrator: As, database: Any
) -> None:
    name, bank = new_bank()
    assert (await bank.refused(*LOOK_UP)).reason == "PARTNER_UNKNOWN"

    added = (await administrator.call("AddPartner", addition(name, LOOK_UPS, PAYMENTS))).partner
    assert (added.version, added.changed_by) == (1, "operator/partners-1")
    await bank.call(*LOOK_UP)
    await bank.call(*PAYMENT_LIST)

    narrowed = (await administrator.call("ChangePartner", change_of(added, LOOK_UPS))).partner
    await bank.call(*LOOK_UP)
    quote = fines_pb2.QuoteFineRequest(number="1" * 15)
    for call in (PAYMENT_LIST, ("QuoteFine", quote), ("PayFine", fines_pb2.PayFineRequest())):
        refused = await bank.refused(*call)
        assert (refused.reason, refused.facts) == ("SCOPE_MISSING", {"scope": "payments"})

    revoked = (await administrator.call("RevokePartner", revocation(name))).partner
    assert revoked.HasField("revoked_at") and revoked.version == narrowed.version + 1
    assert (await bank.refused(*LOOK_UP)).reason == "PARTNER_REVOKED"
    refused = await administrator.refused("ChangePartner", change_of(revoked, LOOK_UPS))
    assert refused.reason == "PARTNER_REVOKED"

    again = (await administrator.call("AddPartner", addition(name, LOOK_UPS))).partner
    assert (again.version, again.HasField("revoked_at")) == (revoked.version + 1, False)
    await bank.call(*LOOK_UP)
    assert await audited(database, name) == [
        "add_partner",
        "change_partner",
        "revoke_partner",
        "add_partner",
    ]


async def test_what_another_copy_of_the_service_changed_is_met_soon(
    new_bank: NewBank, administrator: As, database: Any
) -> None:
    name, bank = new_bank()
    await administrator.call("AddPartner", addition(name, LOOK_UPS))
    await bank.call(*LOOK_UP)
    await database.execute("UPDATE partners SET revoked_at = now() WHERE name = $1", name)

    async def refused() -> str:
        try:
            await bank.call(*LOOK_UP)
        except Exception as refusal:
            return str(refusal.args[0])
        return ""

    assert await until(refused) == "PARTNER_REVOKED"


async def test_every_scope_opens_its_own_methods(new_bank: NewBank, administrator: As) -> None:
    name, bank = new_bank()
    await administrator.call("AddPartner", addition(name, pb.PARTNER_SCOPE_REPORTS, PAYMENTS))
    await bank.call(*PAYMENT_LIST)
    assert (await bank.refused(*LOOK_UP)).facts == {"scope": "look_ups"}


async def test_a_request_is_carried_out_once(new_bank: NewBank, administrator: As) -> None:
    name, _ = new_bank()
    request = addition(name, LOOK_UPS, contact="help@bank.example")
    first, second = await asyncio.gather(
        administrator.call("AddPartner", request), administrator.call("AddPartner", request)
    )
    assert first == second
    change = change_of(first.partner, PAYMENTS)
    changed = await administrator.call("ChangePartner", change)
    assert await administrator.call("ChangePartner", change) == changed
    other = pb.AddPartnerRequest(request_id=request.request_id, name=name, terms=terms(PAYMENTS))
    assert (await administrator.refused("AddPartner", other)).reason == "ID_REUSED"
    exists = await administrator.refused("AddPartner", addition(name, PAYMENTS))
    assert exists.reason == "PARTNER_EXISTS"
    late = await administrator.refused("ChangePartner", change_of(first.partner, LOOK_UPS))
    assert (late.reason, late.facts) == ("PARTNER_CHANGED_MEANWHILE", {"version": "2"})


async def test_every_wrong_field_is_named(administrator: As) -> None:
    wrong = pb.AddPartnerRequest(
        request_id="1",
        name="Bank/1",
        terms=pb.PartnerTerms(
            kinds=[99],  # type: ignore[list-item]
            quota=pb.PartnerQuota(calls=0, calls_per_second=-1, streams=10**6, bytes_per_second=1),
            callback_url="http://bank.example",
            contact="x" * 201,
            languages=["ru", "de"],
        ),
    )
    refused = await administrator.refused("AddPartner", wrong)
    assert {field.field for field in refused.fields} == {
        "request_id",
        "name",
        "terms.scopes",
        "terms.kinds",
        "terms.quota.calls",
        "terms.quota.calls_per_second",
        "terms.quota.streams",
        "terms.quota.bytes_per_second",
        "terms.callback_url",
        "terms.contact",
        "terms.languages",
    }
    revoking = pb.RevokePartnerRequest(request_id=str(new_id()), name="kaspi")
    assert [f.field for f in (await administrator.refused("RevokePartner", revoking)).fields] == [
        "reason"
    ]


async def test_what_was_given_is_read_back(new_bank: NewBank, administrator: As) -> None:
    name, _ = new_bank()
    given = terms(
        LOOK_UPS,
        PAYMENTS,
        kinds=[reports_pb2.CATEGORY_TRAFFIC_VIOLATION],
        quota=pb.PartnerQuota(calls=4, calls_per_second=2.5),
        callback_url="https://bank.example/tartip",
        contact="help@bank.example",
        languages=["kk", "ru"],
    )
    request = pb.AddPartnerRequest(request_id=str(new_id()), name=name, terms=given)
    await administrator.call("AddPartner", request)
    found = (await administrator.call("GetPartner", pb.GetPartnerRequest(name=name))).partner
    assert found.terms == given


async def test_partners_are_listed_by_name_a_page_at_a_time(administrator: As) -> None:
    names, token = [], ""
    while True:
        request = pb.ListPartnersRequest()
        request.page.size, request.page.token = 2, token
        answer = await administrator.call("ListPartners", request)
        names += [partner.name for partner in answer.partners]
        token = answer.next_page_token
        if not token:
            break
    assert names == sorted(set(names)) and {"egov", "kaspi", "halyk", "eurasian"} <= set(names)


async def test_who_may_change_partners(
    administrator: As, operator: Callable[[str], As], as_: Callable[..., As], kaspi: As
) -> None:
    get = pb.GetPartnerRequest(name="kaspi")
    change = pb.ChangePartnerRequest(request_id=str(new_id()), name="kaspi", version=99)
    change.terms.scopes.append(LOOK_UPS)
    auditor, command_line = operator("auditor-1"), as_("tartip-cli")
    for reader in (administrator, auditor, command_line):
        partner = (await reader.call("GetPartner", get)).partner
        assert len(partner.terms.scopes) == len(PartnerScope)
    for stranger in (kaspi, operator("supervisor-almaty"), as_("violations")):
        assert (await stranger.refused("GetPartner", get)).reason == "NOT_ALLOWED"
    for stranger in (kaspi, auditor, operator("finance-1")):
        assert (await stranger.refused("ChangePartner", change)).reason == "NOT_ALLOWED"
    for missing in ("no-such-bank", "a\0b"):
        asked = pb.GetPartnerRequest(name=missing)
        assert (await administrator.refused("GetPartner", asked)).reason == "PARTNER_NOT_FOUND"


async def test_rows_are_seen_by_those_who_administer_or_audit_them_alone(
    engines: RunningTestMesh, service: str, seen_by: Callable[..., Awaitable[int]]
) -> None:
    assert await seen_by("operator", "partners-1", "partner_administrator") >= 4
    assert await seen_by("operator", "auditor-1", "auditor") >= 4
    assert await seen_by("service", "tartip-cli") >= 4
    assert await seen_by("operator", "supervisor-1", "supervisor") == 0
    assert await seen_by("partner", "kaspi") == 0
    assert await seen_by("service", "violations") == 0


@pytest.fixture
def seen_by(engines: RunningTestMesh) -> Callable[..., Awaitable[int]]:
    """How many rows a transaction of this caller sees, with the service's runtime role."""

    async def count(kind: str, name: str, role: str = "") -> int:
        connection = await asyncpg.connect(engines.database.runtime_url("fines"))
        try:
            scope = Scope(kind, name, ("*",), (role,) if role else ())
            for key, value in scope.settings.items():
                await connection.execute("SELECT set_config($1, $2, false)", f"app.{key}", value)
            return int(await connection.fetchval("SELECT count(*) FROM partners"))
        finally:
            await connection.close()

    return count
