"""A bank sees the refunds of its own payments and no others; the payer's letter names them, too."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.pages import PageSpec
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import events_pb2
from tartip.fines.v1 import fines_pb2 as pb
from tartip.violations.v1 import violations_pb2

from .conftest import As, until
from .facts import annulled, payment_of

Publish = Callable[..., Awaitable[str]]
FIRST = PageSpec(50, ())


async def test_a_bank_sees_the_refund_of_its_payment_and_no_other_bank_does(
    a_fine: Any, kaspi: As, halyk: As, operator: Callable[[str], As], database: Any
) -> None:
    request = payment_of(a_fine)
    paid = (await kaspi.call("PayFine", request)).payment
    assert (paid.state, paid.HasField("refund")) == (pb.PAYMENT_STATE_POSTED, False)
    cancel = pb.CancelFineRequest(
        cancellation_id=str(new_id()), number=a_fine["number"], reason="the plate was misread"
    )
    await operator("supervisor-almaty").call("CancelFine", cancel)

    get = pb.GetPaymentRequest(payment_id=request.payment_id)
    seen = (await kaspi.call("GetPayment", get)).payment
    entry = await database.fetchrow(
        "SELECT * FROM entries WHERE number = $1 AND kind = 'refund'", a_fine["number"]
    )
    assert seen.state == pb.PAYMENT_STATE_REFUNDED
    assert seen.refund.refund_id == str(entry["entry_id"])
    assert seen.refund.amount == paid.amount
    assert seen.refund.amount.amount_minor == entry["amount_minor"]
    assert (
        seen.refund.refunded_at.ToDatetime(tzinfo=entry["posted_at"].tzinfo) == (entry["posted_at"])
    )
    assert seen.refund.reason == "FINE_CANCELLED"
    # The same payment sent again is the same payment, as it is by now.
    assert (await kaspi.call("PayFine", request)).payment == seen

    refunded = pb.ListPaymentsRequest(state=pb.PAYMENT_STATE_REFUNDED, number=a_fine["number"])
    assert list((await kaspi.call("ListPayments", refunded)).payments) == [seen]
    assert not (await halyk.call("ListPayments", refunded)).payments
    assert (await halyk.refused("GetPayment", get)).reason == "PAYMENT_NOT_FOUND"


async def test_an_annulled_violation_is_told_to_the_bank_as_the_reason(
    a_fine: Any, kaspi: As, publish: Publish, database: Any, letters: Path
) -> None:
    request = payment_of(a_fine)
    await kaspi.call("PayFine", request)
    violation = violations_pb2.Violation(
        violation_id=a_fine["violation_id"], place=common_pb2.Place(region="KZ-75")
    )
    await publish("annulled", annulled(violation))
    get = pb.GetPaymentRequest(payment_id=request.payment_id)

    async def refund() -> Any:
        payment = (await kaspi.call("GetPayment", get)).payment
        return payment.refund if payment.HasField("refund") else None

    seen = await until(refund)
    assert seen.reason == "VIOLATION_ANNULLED"
    payload = await database.fetchval(
        "SELECT payload FROM outbox WHERE aggregate = $1 AND subject = 'fines.v1.refunded'",
        a_fine["number"],
    )
    told = events_pb2.FineRefunded.FromString(payload)
    assert (told.refund_id, told.reason) == (seen.refund_id, "VIOLATION_ANNULLED")
    letter = letters / f"{a_fine['number']}.cancelled.html"
    text = await until(lambda: _text(letter))
    kazakh, russian = text.split('<p lang="ru">')
    for stated in ("«kaspi»", request.bank_reference, request.value_date, seen.refund_id):
        assert stated in kazakh and stated in russian


async def _text(path: Path) -> str:
    return await asyncio.to_thread(lambda: path.read_text() if path.exists() else "")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.ListPaymentsRequest(state=99), {"state"}),  # type: ignore[arg-type]
        (
            pb.ListPaymentsRequest(number="1", posted_from="x", value_date_until="2026-13-01"),
            {"number", "posted_from", "value_date_until"},
        ),
        (
            pb.ListPaymentsRequest(posted_from="2026-06-04", posted_until="2026-06-03"),
            {"posted_until"},
        ),
        (
            pb.ListPaymentsRequest(value_date_from="2026-06-04", value_date_until="2026-06-03"),
            {"value_date_until"},
        ),
        (pb.ListPaymentsRequest(page=common_pb2.Page(size=201)), {"page.size"}),
    ],
)
async def test_every_wrong_filter_is_named(kaspi: As, request_: Any, fields: set[str]) -> None:
    refused = await kaspi.refused("ListPayments", request_)
    assert {error.field for error in refused.fields} == fields


async def test_operators_and_services_list_no_payments(
    kaspi: As, operator: Callable[[str], As], as_: Callable[..., As]
) -> None:
    for caller in (operator("finance-1"), operator("supervisor-almaty"), as_("violations")):
        refused = await caller.refused("ListPayments", pb.ListPaymentsRequest())
        assert refused.reason == "NOT_ALLOWED"
