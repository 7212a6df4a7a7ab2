"""The steps of the methods of the clients for fines (see `flows`)."""

from __future__ import annotations

from tartip.fines.v1 import fines_pb2 as pb

from tartip_partner.flows import Flow, Rpc
from tartip_partner.ids import new_id
from tartip_partner.retries import Retries

LOOKUP_FINES = Rpc[pb.LookupFinesRequest, pb.LookupFinesResponse]("LookupFines")
QUOTE_FINE = Rpc[pb.QuoteFineRequest, pb.QuoteFineResponse]("QuoteFine")
PAY_FINE = Rpc[pb.PayFineRequest, pb.PayFineResponse]("PayFine")
GET_PAYMENT = Rpc[pb.GetPaymentRequest, pb.GetPaymentResponse]("GetPayment")
LIST_PAYMENTS = Rpc[pb.ListPaymentsRequest, pb.ListPaymentsResponse]("ListPayments")


def quote_flow(number: str, retries: Retries) -> Flow[pb.Quote]:
    return (yield from QUOTE_FINE(pb.QuoteFineRequest(number=number), retries)).quote


def pay_flow(payment: pb.PayFineRequest, retries: Retries) -> Flow[pb.Payment]:
    """Pay a fine once."""
    payment.payment_id = payment.payment_id or new_id()
    return (yield from PAY_FINE(payment, retries)).payment


def get_payment_flow(payment_id: str, retries: Retries) -> Flow[pb.Payment]:
    return (yield from GET_PAYMENT(pb.GetPaymentRequest(payment_id=payment_id), retries)).payment
