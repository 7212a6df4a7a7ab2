"""Fines and their ledger over REST."""

from contextlib import aclosing
from typing import Annotated, Literal

from chassis import telemetry
from fastapi import APIRouter, Query
from pydantic import Field
from tartip.fines.v1 import fines_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import (
    Answer,
    ClientMadeId,
    Id,
    IdempotencyKey,
    Listing,
    Moment,
    Money,
    Reason,
    Region,
    Request,
    client_made_id,
)

router = APIRouter(prefix="/v1/fines", tags=["fines"])

RECHECKED_FINES = 50
FineState = Literal[
    "awaiting", "issued", "delivered", "paid", "cancelled", "appealed", "in_force", "overdue"
]
FineReply = fines_pb2.GetFineResponse | fines_pb2.CancelFineResponse


class LegalDates(Answer):
    delivered_on: str
    discount_until: str
    considered_on: str
    appeal_until: str
    in_force_on: str
    voluntary_until: str
    day_count: str
    calendar_version: str


class Fine(Answer):
    number: str
    violation_id: str
    state: FineState | None
    region: str
    article: str
    offence_code: str
    occurred_at: Moment
    issued_at: Moment
    amount: Money | None
    discounted_amount: Money | None
    dates: LegalDates | None
    base_value_minor: int
    base_values: int
    tariff_version: str
    version: int
    story: str
    owner_masked: str
    hold_reason: str
    conflicting_numbers: list[str]
    assumed_years: list[int]


class FineAnswer(Answer):
    fine: Fine


class FinePage(Answer):
    fines: list[Fine]
    next_page_token: str


class Entry(Answer):
    entry_id: str
    debit_account: str
    credit_account: str
    amount: Money | None
    posted_at: Moment
    kind: str


class Entries(Answer):
    entries: list[Entry]


class FineListing(Listing):
    state: FineState | None = None
    region: Region = ""
    violation_id: str = Field("", max_length=64)
    held: bool = Field(False, description="Only fines that a hold keeps from being issued.")
    hold_reason: str = Field("", max_length=64, description="Only fines held for this reason.")


class RecheckListing(Listing):
    region: Region = ""


class RecheckedFine(Answer):
    number: str
    violation_id: str
    region: str
    state: FineState | None
    amount: Money | None
    hold_reasons: list[str]
    conflicting_numbers: list[str]


class RecheckPage(Answer):
    fines: list[RecheckedFine] = Field(description="Those that would be held today.")
    checked: int = Field(description="How many fines this page looked at.")
    remaining: int
    next_page_token: str


class CancelFine(Request):
    cancellation_id: ClientMadeId | None = None
    reason: Reason


@router.get("")
async def list_fines(listing: Annotated[FineListing, Query()], context: AsOperator) -> FinePage:
    """Fines, newest first, filtered by violation, state, region and hold (the reason why a fine is
    not issued yet)."""
    request = listing.message(fines_pb2.ListFinesRequest)
    return FinePage.of(await context.call(context.peers.fines.ListFines, request))


@router.get("/recheck")
async def recheck_fines(
    listing: Annotated[RecheckListing, Query()], context: AsOperator
) -> RecheckPage:
    """Repeats the checks of issued fines, and lists the fines that would not be issued today, with
    the reasons. Changes nothing. Role supervisor or auditor.

    `page_size` limits how many fines are checked, not how many are listed. The header
    Tartip-Purpose is required.
    """
    request = fines_pb2.RecheckIssuedFinesRequest(
        region=listing.region, resume_token=listing.page_token
    )
    found: list[RecheckedFine] = []
    checked, remaining, token = 0, 0, ""
    answers = context.stream(context.peers.fines.RecheckIssuedFines, request)
    async with aclosing(answers):
        async for answer in answers:
            checked, remaining, token = checked + 1, answer.remaining, answer.resume_token
            if answer.hold_reasons:
                found.append(RecheckedFine.of(answer))
            if checked == (listing.page_size or RECHECKED_FINES):
                break
    return RecheckPage(
        fines=found,
        checked=checked,
        remaining=remaining,
        next_page_token=token if remaining else "",
    )


@router.get("/{number}")
async def get_fine(number: Id, context: AsOperator) -> FineAnswer:
    """One fine. The access and its purpose are recorded in the audit log."""
    return _answer(
        await context.call(context.peers.fines.GetFine, fines_pb2.GetFineRequest(number=number))
    )


@router.post("/{number}/cancel")
async def cancel_fine(
    number: Id, body: CancelFine, context: AsOperator, idempotency_key: IdempotencyKey = None
) -> FineAnswer:
    """Cancels a fine. If it was paid, the payment is refunded. Role supervisor."""
    request = body.message(
        fines_pb2.CancelFineRequest,
        number=number,
        cancellation_id=client_made_id(body.cancellation_id, idempotency_key, "cancellation_id"),
    )
    return _answer(await context.call(context.peers.fines.CancelFine, request))


@router.get("/{number}/entries")
async def list_entries(number: Id, context: AsOperator) -> Entries:
    """The ledger entries of one fine, oldest first. Role finance or auditor."""
    request = fines_pb2.ListEntriesRequest(number=number)
    reply = await context.call(context.peers.fines.ListEntries, request)
    telemetry.annotate(fine=number)
    return Entries.of(reply)


def _answer(reply: FineReply) -> FineAnswer:
    """Convert a reply; the current span gets the fine's number and joins the fine's story."""
    telemetry.bind_story(reply.fine.story)
    telemetry.annotate(fine=reply.fine.number)
    return FineAnswer.of(reply)
