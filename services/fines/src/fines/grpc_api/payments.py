"""`tartip.fines.v1.FinePayments`: the gRPC service for banks."""

import re
from datetime import date

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, Refusal, checks
from chassis.telemetry import UUID_SHAPE
from law.identity_numbers import is_owner_number
from law.plates import normalised_plate
from law.zone import parse_day
from partners.model import PartnerScope
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc

from fines.events import money
from fines.grpc_api.messages import fine_to_proto
from fines.model.fine import is_number, known_number
from fines.model.ledger import Payment, PaymentState, Refund
from fines.model.refusals import PaymentNotFound
from fines.storage.ledger import PaymentFilter
from fines.usecases.lookups import Lookup, Lookups
from fines.usecases.payments import PaymentDesk, PaymentOrder, Quote

_PAYMENT_STATES: "dict[PaymentState, fines_pb2.PaymentState.ValueType]" = {
    PaymentState.POSTED: fines_pb2.PAYMENT_STATE_POSTED,
    PaymentState.REFUNDED: fines_pb2.PAYMENT_STATE_REFUNDED,
}
PAYMENT_STATES = {number: state for state, number in _PAYMENT_STATES.items()}
_REASONS = {
    number: name.removeprefix("LOOKUP_REASON_") if number else ""
    for name, number in fines_pb2.LookupReason.items()
}
AMOUNT_MINOR_MAX = 10**12
POLICY: Policy = {
    f"/tartip.fines.v1.FinePayments/{method}": allow(partners=True, scope=scope.value)
    for method, scope in {
        "LookupFines": PartnerScope.LOOK_UPS,
        "QuoteFine": PartnerScope.PAYMENTS,
        "PayFine": PartnerScope.PAYMENTS,
        "GetPayment": PartnerScope.PAYMENTS,
        "ListPayments": PartnerScope.PAYMENTS,
    }.items()
}


class FinePaymentsApi(fines_pb2_grpc.FinePaymentsServicer):
    def __init__(self, payments: PaymentDesk, lookups: Lookups, pages: Pages) -> None:
        self._payments = payments
        self._lookups = lookups
        self._pages = pages

    async def LookupFines(
        self, request: fines_pb2.LookupFinesRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.LookupFinesResponse:
        asked, caller = _lookup(request), current_caller()
        try:
            _check_lookup(request, asked)
            page = self._pages.read(request, caller)
        except Refusal as refusal:
            if asked.value:
                await self._lookups.note_refused(asked, refusal.reason, caller)
            raise
        found, keys = await self._lookups.find(asked, page.spec, caller)
        if len(found) == 1:
            telemetry.annotate(fine=found[0].number)
        return fines_pb2.LookupFinesResponse(
            fines=[fine_to_proto(fine, for_bank=True) for fine in found],
            next_page_token=page.next_token(keys),
        )

    async def QuoteFine(
        self, request: fines_pb2.QuoteFineRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.QuoteFineResponse:
        number = known_number(request.number)
        telemetry.annotate(fine=number)
        quote = await self._payments.quote(number, current_caller())
        return fines_pb2.QuoteFineResponse(quote=_quote_to_proto(quote))

    async def PayFine(
        self, request: fines_pb2.PayFineRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.PayFineResponse:
        order = _order(request)
        telemetry.annotate(payment=str(order.payment_id), fine=order.number)
        payment = await self._payments.pay(order, current_caller())
        return fines_pb2.PayFineResponse(payment=_payment_to_proto(payment))

    async def GetPayment(
        self, request: fines_pb2.GetPaymentRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.GetPaymentResponse:
        payment_id = parse_id(request.payment_id)
        if payment_id is None:
            raise PaymentNotFound
        telemetry.annotate(payment=str(payment_id))
        payment = await self._payments.payment(payment_id, current_caller())
        return fines_pb2.GetPaymentResponse(payment=_payment_to_proto(payment))

    async def ListPayments(
        self, request: fines_pb2.ListPaymentsRequest, context: grpc.aio.ServicerContext
    ) -> fines_pb2.ListPaymentsResponse:
        wanted = _filter(request)
        page = self._pages.read(request, current_caller())
        found, keys = await self._payments.payments(page.spec, wanted, current_caller())
        return fines_pb2.ListPaymentsResponse(
            payments=[_payment_to_proto(payment) for payment in found],
            next_page_token=page.next_token(keys),
        )


def _lookup(request: fines_pb2.LookupFinesRequest) -> Lookup:
    """Return what is asked and why; the value is "" where it is missing or invalid."""
    kind = request.WhichOneof("key") or "number"
    value: str = getattr(request, kind)
    if kind == "owner" and not is_owner_number(value):
        value = ""
    if kind == "plate":
        value = normalised_plate(value) or ""
    reason = _REASONS.get(request.reason, "")
    return Lookup(kind, value, reason, request.customer_id)


def _check_lookup(request: fines_pb2.LookupFinesRequest, asked: Lookup) -> None:
    """Raise BadRequest with every wrong field but the page's."""
    with checks() as check:
        wrong = "" if asked.value else asked.kind
        check.that(wrong != "owner", "owner", "must be a valid IIN or BIN", code="IIN_INVALID")
        check.that(wrong != "plate", "plate", "must be a plate", code="PLATE_INVALID")
        named = wrong != "number"
        check.that(named, "key", "owner, plate or number", code="LOOKUP_KEY_REQUIRED")
        is_of_person = asked.kind != "number"
        told = bool(request.reason) or not is_of_person
        check.that(told, "reason", "why you look up", code="LOOKUP_REASON_REQUIRED")
        known = request.reason in _REASONS
        check.that(known, "reason", "must be a reason of look-ups")
        named = bool(request.customer_id) or not is_of_person
        check.that(named, "customer_id", "for whom you look up", code="CUSTOMER_ID_REQUIRED")
        is_id = re.fullmatch(UUID_SHAPE, request.customer_id) is not None
        check.that(is_id or not request.customer_id, "customer_id", "must be a UUID")


def _filter(request: fines_pb2.ListPaymentsRequest) -> PaymentFilter:
    with checks() as check:
        known = request.state in PAYMENT_STATES or not request.state
        check.that(known, "state", "must be a state of payments, or none")
        right = is_number(request.number) or not request.number
        check.that(right, "number", "must be the number of a fine, or none")
        value_dates = _days(check, request, "value_date_from", "value_date_until")
        posted = _days(check, request, "posted_from", "posted_until")
    return PaymentFilter(
        state=PAYMENT_STATES.get(request.state),
        number=request.number,
        value_date_from=value_dates[0],
        value_date_until=value_dates[1],
        posted_from=posted[0],
        posted_until=posted[1],
    )


def _days(
    check: Checks, request: fines_pb2.ListPaymentsRequest, first: str, last: str
) -> tuple[date | None, date | None]:
    """Return the first and the last day of a range, None for an open end. `first` and `last` are
    names of request fields; wrong values are reported to `check`."""
    days = [parse_day(getattr(request, name)) for name in (first, last)]
    for name, day in zip((first, last), days, strict=True):
        check.that(day is not None or not getattr(request, name), name, "must be YYYY-MM-DD")
    if days[0] and days[1]:
        check.that(days[0] <= days[1], last, f"must not be before {first}")
    return days[0], days[1]


def _order(request: fines_pb2.PayFineRequest) -> PaymentOrder:
    value_date = parse_day(request.value_date)
    with checks() as check:
        payment_id = read_new_id(check, "payment_id", request.payment_id)
        check.that(request.amount.currency == "KZT", "amount.currency", "must be KZT")
        check.that(
            0 < request.amount.amount_minor <= AMOUNT_MINOR_MAX,
            "amount.amount_minor",
            "must be a positive number of tiyn",
        )
        check.that(
            re.fullmatch(r"[A-Za-z0-9]{6,35}", request.bank_reference) is not None,
            "bank_reference",
            "must be 6 to 35 letters and digits",
        )
        check.that(value_date is not None, "value_date", "must be YYYY-MM-DD")
    assert value_date is not None
    return PaymentOrder(
        payment_id=payment_id,
        number=known_number(request.number),
        amount_minor=request.amount.amount_minor,
        currency=request.amount.currency,
        bank_reference=request.bank_reference,
        value_date=value_date,
    )


def _quote_to_proto(quote: Quote) -> fines_pb2.Quote:
    return fines_pb2.Quote(
        number=quote.number,
        amount_now=money(quote.now_minor),
        amount_now_until=quote.until.isoformat() if quote.until else "",
        amount_later=money(quote.later_minor),
        quoted_at=to_timestamp(quote.quoted_at),
    )


def _payment_to_proto(payment: Payment) -> fines_pb2.Payment:
    return fines_pb2.Payment(
        payment_id=str(payment.payment_id),
        number=payment.number,
        amount=money(payment.amount_minor),
        bank_reference=payment.bank_reference,
        value_date=payment.value_date.isoformat(),
        posted_at=to_timestamp(payment.posted_at),
        entry_id=str(payment.entry_id),
        state=_PAYMENT_STATES[payment.state],
        refund=_refund(payment.refund),
    )


def _refund(refund: Refund | None) -> fines_pb2.Refund | None:
    if refund is None:
        return None
    return fines_pb2.Refund(
        refund_id=str(refund.refund_id),
        amount=money(refund.amount_minor),
        refunded_at=to_timestamp(refund.refunded_at),
        reason=refund.reason.value,
    )
