"""What a row allows, pure; and that no method for partners is served without a scope."""

from types import SimpleNamespace
from typing import Any

import pytest
from chassis.clock import system_clock
from chassis.identity import allow
from chassis.refusals import Refusal
from host.runtime import _check_scopes
from host.shares import Quota
from partners.guard import PartnerGuard
from partners.model import ALL_SCOPES, Partner, PartnerScope, PartnerTerms, QuotaTerms
from tartip.partners.v1 import partners_pb2

NOW = system_clock()
BANK = Partner("bank", PartnerTerms((PartnerScope.PAYMENTS,)), NOW, "operator/partners-1")


def reason(partner: Partner, scope: PartnerScope) -> str:
    try:
        partner.require(scope)
    except Refusal as refusal:
        return refusal.reason
    return ""


def test_a_partner_may_do_what_its_scopes_say_until_it_is_revoked() -> None:
    assert reason(BANK, PartnerScope.PAYMENTS) == ""
    assert reason(BANK, PartnerScope.LOOK_UPS) == "SCOPE_MISSING"
    revoked = Partner("bank", ALL_SCOPES, NOW, "", revoked_at=NOW)
    assert {reason(revoked, scope) for scope in PartnerScope} == {"PARTNER_REVOKED"}


def test_no_kinds_are_all_kinds() -> None:
    BANK.require_kind("incident")
    picky = Partner("bank", PartnerTerms((), kinds=("other",)), NOW, "")
    picky.require_kind("other")
    with pytest.raises(Refusal, match="REPORT_KIND_NOT_ALLOWED"):
        picky.require_kind("incident")


def test_what_a_quota_leaves_out_is_the_default() -> None:
    assert QuotaTerms().quota is None
    assert QuotaTerms(calls=3).quota == Quota(calls=3)
    assert QuotaTerms(3, 0.5, 2, 4096).quota == Quota(3, 0.5, 2, 4096)


@pytest.mark.parametrize(
    ("rule", "guard", "starts"),
    [
        (allow(partners=True), "guard", False),
        (allow(partners=True, scope="reports"), None, False),
        (allow(partners=True, scope="reports"), "guard", True),
        (allow(devices=True), None, True),
    ],
)
def test_a_method_for_partners_is_served_with_scope_and_guard_alone(
    rule: Any, guard: Any, starts: bool
) -> None:
    chassis: Any = SimpleNamespace(policy={"/a.B/C": rule}, guard=guard)
    if starts:
        _check_scopes(chassis)
    else:
        with pytest.raises(RuntimeError, match=r"/a\.B/C"):
            _check_scopes(chassis)


def test_a_scope_that_does_not_exist_stops_the_start() -> None:
    service = partners_pb2.DESCRIPTOR.services_by_name["Partners"]
    policy = {
        f"/{service.full_name}/{method.name}": allow(partners=True, scope="everything")
        for method in service.methods
    }
    servicer: Any = SimpleNamespace(**{method.name: None for method in service.methods})
    guard = PartnerGuard(None, policy)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="everything"):
        guard(service, servicer)
