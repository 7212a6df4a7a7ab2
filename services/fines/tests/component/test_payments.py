"""What banks do over mutual TLS: fines are found by exact key, quoted, paid once, refunded."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from chassis.refusals import Refusal
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2 as pb

from .conftest import As
from .facts import (
    FIRM,
    PERSON,
    Vehicles,
    ViolationsPeer,
    a_look_up,
    a_violation,
    confirmed,
    insisting,
    payment_of,
)

Publish = Callable[..., Awaitable[str]]
FineOf = Callable[..., Awaitable[Any]]


async def test_found_by_plate_by_number_and_by_owner_and_by_nothing_else(
    a_fine: Any, plate: str, kaspi: As, database: Any
) -> None:
    number = a_fine["number"]
    for request in (
        a_look_up(plate=f"kz {plate[:3]} {plate[3:].lower()}"),
        pb.LookupFinesRequest(number=number),
        a_look_up(owner=PERSON, page=common_pb2.Page(size=200)),
    ):
        found = (await kaspi.call("LookupFines", request)).fines
        assert number in {fine.number for fine in found}
        told = {(fine.owner_masked, fine.violation_id, fine.story) for fine in found}
        assert told == {("", "", "")}  # what a bank does not need
    assert not (await kaspi.call("LookupFines", a_look_up(plate="001ZZZ01"))).fines
    assert not (await kaspi.call("LookupFines", a_look_up(owner=FIRM))).fines
    audited = await database.fetchval(
        "SELECT count(*) FROM audit WHERE convert_from(canonical, 'UTF8') LIKE $1",
        f'%"action":"read"%"actor":"partner/kaspi"%fine:{number}%',
    )
    assert audited == 3


async def test_pages_of_open_fines_meet_each_fine_once(
    vehicles: Vehicles, peer: ViolationsPeer, publish: Publish, fine_of: FineOf, kaspi: As
) -> None:
    vehicles.register("997FR02", number=FIRM)
    violations = [
        a_violation("997FR02", at=system_clock() - timedelta(hours=hours)) for hours in range(1, 6)
    ]
    for violation in violations:
        peer.known[violation.violation_id] = violation
        await publish("confirmed", confirmed(violation))
    rows = [await fine_of(violation) for violation in violations]
    seen: list[str] = []
    token = ""
    while True:
        page = common_pb2.Page(size=2, token=token)
        answer = await kaspi.call("LookupFines", a_look_up(owner=FIRM, page=page))
        seen += [fine.number for fine in answer.fines]
        token = answer.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted(row["number"] for row in rows)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.LookupFinesRequest(), "LOOKUP_KEY_REQUIRED"),
        (a_look_up(owner="900101300018"), "IIN_INVALID"),
        (a_look_up(plate="!!"), "PLATE_INVALID"),
        (a_look_up(owner=PERSON, page=common_pb2.Page(size=201)), "BAD_REQUEST"),
        (a_look_up(owner=PERSON, page=common_pb2.Page(token="x")), "PAGE_TOKEN_WRONG"),
    ],
)
async def test_wrong_lookups(kaspi: As, request_: Any, reason: str) -> None:
    assert (await kaspi.refused("LookupFines", request_)).reason == reason


async def test_a_quote_says_what_is_due_now_and_later(a_fine: Any, kaspi: As) -> None:
    quote = (await kaspi.call("QuoteFine", pb.QuoteFineRequest(number=a_fine["number"]))).quote
    assert quote.amount_now.amount_minor == a_fine["discounted_minor"]
    assert quote.amount_later.amount_minor == a_fine["amount_minor"]
    assert quote.amount_now_until == a_fine["discount_until"].isoformat()


async def test_paid_once_with_the_same_answer_for_ever(
    a_fine: Any, kaspi: As, database: Any
) -> None:
    request = payment_of(a_fine)
    first = await kaspi.call("PayFine", request)
    assert await kaspi.call("PayFine", request) == first
    asked = await kaspi.call("GetPayment", pb.GetPaymentRequest(payment_id=request.payment_id))
    assert asked.payment == first.payment
    rows = await database.fetch(
        "SELECT kind, debit_account, credit_account, amount_minor FROM entries WHERE number = $1"
        " ORDER BY position",
        a_fine["number"],
    )
    full, half = a_fine["amount_minor"], a_fine["discounted_minor"]
    receivable = f"receivable:{a_fine['number']}"
    assert [tuple(row) for row in rows] == [
        ("issue", receivable, "treasury:KZ-75", full),
        ("payment", "clearing:kaspi", receivable, half),
        ("discount", "discounts", receivable, full - half),
    ]
    number = pb.LookupFinesRequest(number=a_fine["number"])
    assert not (await kaspi.call("LookupFines", number)).fines
    quote = pb.QuoteFineRequest(number=a_fine["number"])
    assert (await kaspi.refused("QuoteFine", quote)).reason == "FINE_ALREADY_PAID"


async def test_an_id_used_again_with_other_content_is_refused(
    a_fine: Any, kaspi: As, halyk: As
) -> None:
    request = payment_of(a_fine)
    await kaspi.call("PayFine", request)
    for changes in (
        {"bank_reference": "OTHER123"},
        {"amount": common_pb2.Money(amount_minor=1, currency="KZT")},
        {"value_date": (a_fine["delivered_on"] - timedelta(days=1)).isoformat()},
    ):
        told = pb.PayFineRequest()
        told.CopyFrom(request)
        told.MergeFrom(pb.PayFineRequest(**changes))
        assert (await kaspi.refused("PayFine", told)).reason == "ID_REUSED"
    # Ids are apart by bank: the same id of another bank is another payment, of a paid fine.
    assert (await halyk.refused("PayFine", request)).reason == "FINE_ALREADY_PAID"


async def test_twenty_at_once_with_one_id_are_one_payment(
    a_fine: Any, kaspi: As, database: Any
) -> None:
    request = payment_of(a_fine)
    answers = await asyncio.gather(*(insisting(kaspi, request) for _ in range(20)))
    assert len({answer.payment.entry_id for answer in answers}) == 1
    await _paid_once(database, a_fine)


async def test_twenty_at_once_with_their_own_ids_from_two_banks_are_one_payment(
    a_fine: Any, kaspi: As, halyk: As, database: Any
) -> None:
    async def try_to(bank: As) -> str:
        try:
            await insisting(bank, payment_of(a_fine))
        except Refusal as refused:
            return refused.reason
        return "paid"

    outcomes = await asyncio.gather(*(try_to(bank) for bank in (kaspi, halyk) * 10))
    assert sorted(set(outcomes)) == ["FINE_ALREADY_PAID", "paid"]
    assert outcomes.count("paid") == 1
    await _paid_once(database, a_fine)


async def _paid_once(database: Any, row: Any) -> None:
    number = row["number"]
    count = "SELECT count(*) FROM payments WHERE number = $1"
    assert await database.fetchval(count, number) == 1
    sums = await database.fetchval(
        "SELECT sum(amount_minor) FROM entries WHERE number = $1 AND kind = 'payment'", number
    )
    assert sums == row["discounted_minor"]


async def test_what_is_wrong_with_a_payment_is_said_by_name(
    a_fine: Any, kaspi: As, database: Any
) -> None:
    today = a_fine["delivered_on"]
    full = common_pb2.Money(amount_minor=a_fine["amount_minor"], currency="KZT")
    expected = {
        "AMOUNT_DIFFERS": payment_of(a_fine, amount=full),
        "VALUE_DATE_WRONG": payment_of(a_fine, value_date=str(today + timedelta(days=2))),
        "FINE_NOT_FOUND": payment_of(a_fine, number="000000000000000"),
    }
    for reason, request in expected.items():
        assert (await kaspi.refused("PayFine", request)).reason == reason
    early = payment_of(a_fine, value_date=str(today - timedelta(days=1)))
    assert (await kaspi.refused("PayFine", early)).reason == "VALUE_DATE_WRONG"
    differs = await kaspi.refused("PayFine", expected["AMOUNT_DIFFERS"])
    assert differs.facts == {"amount_due_minor": str(a_fine["discounted_minor"])}
    wrong = await kaspi.refused("PayFine", pb.PayFineRequest(number=a_fine["number"]))
    assert {error.field for error in wrong.fields} == {
        "payment_id",
        "amount.currency",
        "amount.amount_minor",
        "bank_reference",
        "value_date",
    }
    # A refused id was not used up.
    assert (
        await database.fetchval("SELECT count(*) FROM payments WHERE number = $1", a_fine["number"])
        == 0
    )
    amount = common_pb2.Money(amount_minor=a_fine["discounted_minor"], currency="KZT")
    again = expected["AMOUNT_DIFFERS"]
    again.amount.CopyFrom(amount)
    await kaspi.call("PayFine", again)


async def test_a_bank_reference_stands_on_one_payment(
    a_fine: Any,
    kaspi: As,
    halyk: As,
    peer: ViolationsPeer,
    vehicles: Vehicles,
    publish: Publish,
    fine_of: FineOf,
) -> None:
    vehicles.register("996REF02")
    violation = a_violation("996REF02")
    peer.known[violation.violation_id] = violation
    await publish("confirmed", confirmed(violation))
    other = await fine_of(violation)
    reference = f"RRN{new_id().hex}"
    await kaspi.call("PayFine", payment_of(a_fine, bank_reference=reference))
    again = payment_of(other, bank_reference=reference)
    assert (await kaspi.refused("PayFine", again)).reason == "BANK_REFERENCE_REUSED"
    await halyk.call("PayFine", again)  # another bank's numbers are its own


async def test_a_bank_sees_its_own_payments_alone(a_fine: Any, kaspi: As, halyk: As) -> None:
    request = payment_of(a_fine)
    await kaspi.call("PayFine", request)
    asked = pb.GetPaymentRequest(payment_id=request.payment_id)
    foreign = await halyk.refused("GetPayment", asked)
    missing = await halyk.refused("GetPayment", pb.GetPaymentRequest(payment_id=str(new_id())))
    assert (foreign.reason, foreign.facts) == (missing.reason, missing.facts)
    assert foreign.reason == "PAYMENT_NOT_FOUND"
