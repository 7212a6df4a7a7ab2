"""A certificate names one caller; a method admits whom its row names and nobody else."""

import pytest
from chassis.identity import Caller, Operator, allow, caller_from_spiffe
from chassis.refusals import NotAuthenticated

INSPECTOR = Operator("inspector-1", frozenset({"inspector"}), ("KZ-75",))
GATEWAY = Caller("service", "operator-gateway", INSPECTOR)


def test_the_spiffe_id_names_kind_and_name() -> None:
    assert caller_from_spiffe(["spiffe://tartip/partner/kaspi"]) == ("partner", "kaspi")


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://other/partner/kaspi",
        "spiffe://tartip/admin/x",
        "spiffe://tartip/partner/",
        "spiffe://tartip/partner/a/b",
        "kaspi",
    ],
)
def test_any_other_name_is_nobody(uri: str) -> None:
    with pytest.raises(NotAuthenticated):
        caller_from_spiffe([uri])


@pytest.mark.parametrize(
    ("rule", "caller", "admitted"),
    [
        (allow(partners=True), Caller("partner", "kaspi"), True),
        (allow(partners=True), Caller("device", "edge-1"), False),
        (allow(devices=True), Caller("device", "edge-1"), True),
        (allow(services=["fines"]), Caller("service", "fines"), True),
        (allow(services=["fines"]), Caller("service", "violations"), False),
        (allow(roles=["inspector"]), GATEWAY, True),
        (allow(roles=["supervisor"]), GATEWAY, False),
        (allow(roles=["inspector"]), Caller("partner", "kaspi", INSPECTOR), False),
        (allow(roles=["inspector"]), Caller("service", "violations", INSPECTOR), False),
        (allow(services=["operator-gateway"]), GATEWAY, False),
        (allow(), Caller("service", "fines"), False),
    ],
)
def test_a_method_admits_whom_its_row_names(rule, caller, admitted) -> None:  # type: ignore[no-untyped-def]
    assert rule.admits(caller) is admitted


def test_an_operator_acts_under_his_own_name_regions_and_roles() -> None:
    scope = GATEWAY.scope
    assert (scope.kind, scope.name, scope.regions, scope.roles) == (
        "operator",
        "inspector-1",
        ("KZ-75",),
        ("inspector",),
    )
    assert scope.sees("KZ-75") and not scope.sees("KZ-71")
