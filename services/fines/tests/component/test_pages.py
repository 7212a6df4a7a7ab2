"""A page token of the lists of fines and payments is its caller's, for the query that it is of."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.fines.v1 import fines_pb2 as pb
from tartip_testing.paging import assert_token_is_bound

from .conftest import As
from .facts import PERSON, ViolationsPeer, a_look_up, a_violation, confirmed, payment_of


@pytest.fixture
async def three_fines(
    plate: str,
    peer: ViolationsPeer,
    publish: Callable[..., Awaitable[str]],
    fine_of: Callable[..., Awaitable[Any]],
    service: str,
) -> list[Any]:
    """The rows of three delivered fines of one owner, on one plate."""
    violations = [a_violation(plate, at=system_clock() - timedelta(hours=n)) for n in (1, 2, 3)]
    for violation in violations:
        peer.known[violation.violation_id] = violation
        await publish("confirmed", confirmed(violation))
    return [await fine_of(violation) for violation in violations]


@pytest.mark.parametrize("key", ["owner", "plate"])
async def test_open_fines(
    three_fines: list[Any], plate: str, kaspi: As, halyk: As, key: str
) -> None:
    by_owner, by_plate = a_look_up(owner=PERSON), a_look_up(plate=plate)
    await assert_token_is_bound(
        lambda asked: kaspi.call("LookupFines", asked),
        by_owner if key == "owner" else by_plate,
        by_others=lambda asked: halyk.call("LookupFines", asked),
        other_query=by_plate if key == "owner" else by_owner,
    )


async def test_payments(three_fines: list[Any], kaspi: As, halyk: As) -> None:
    for fine in three_fines:
        await kaspi.call("PayFine", payment_of(fine))
    await assert_token_is_bound(
        lambda asked: kaspi.call("ListPayments", asked),
        pb.ListPaymentsRequest(),
        by_others=lambda asked: halyk.call("ListPayments", asked),
        other_query=pb.ListPaymentsRequest(state=pb.PAYMENT_STATE_POSTED),
    )


async def test_fines_for_operators(three_fines: list[Any], operator: Callable[[str], As]) -> None:
    inspector, supervisor = operator("inspector-almaty"), operator("supervisor-almaty")
    await assert_token_is_bound(
        lambda asked: inspector.call("ListFines", asked),
        pb.ListFinesRequest(),
        by_others=lambda asked: supervisor.call("ListFines", asked),
        other_query=pb.ListFinesRequest(region="KZ-75"),
    )
