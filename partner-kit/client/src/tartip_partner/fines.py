"""`FinesClient`: looks fines up, quotes and pays them, without asyncio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from tartip.fines.v1 import fines_pb2 as pb
from tartip.fines.v1 import fines_pb2_grpc

from tartip_partner.caller import Caller
from tartip_partner.connections import Options
from tartip_partner.fine_flows import (
    LIST_PAYMENTS,
    LOOKUP_FINES,
    get_payment_flow,
    pay_flow,
    quote_flow,
)
from tartip_partner.identity import Identity
from tartip_partner.retries import Retries


class FinesClient:
    """Looks fines up and pays them. May be used from several threads.

    Deadlines, repetitions and errors are those of `ReportsClient`.
    """

    def __init__(
        self,
        address: str,
        identity: Identity,
        *,
        retries: Retries = Retries(),  # noqa: B008 (it is frozen)
        options: Options = (),
    ) -> None:
        """`address` is "host:port". `options` are further options of the gRPC channel. Nothing is
        sent before the first call."""
        stub_of: Any = fines_pb2_grpc.FinePaymentsStub
        self._caller = Caller(address, identity, stub_of, options)
        self._retries = retries

    def look_up(self, request: pb.LookupFinesRequest) -> Iterator[pb.Fine]:
        """The open fines of an owner or plate, or the fine of a number; pages are fetched as they
        are needed."""
        asked = pb.LookupFinesRequest()
        asked.CopyFrom(request)
        while True:
            page = self._caller.run(LOOKUP_FINES(asked, self._retries))
            yield from page.fines
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token

    def quote(self, number: str) -> pb.Quote:
        """The amount of a fine now, until when it applies, and the amount after that."""
        return self._caller.run(quote_flow(number, self._retries))

    def pay(self, payment: pb.PayFineRequest) -> pb.Payment:
        """Pay a fine, and return the payment.

        An empty `payment.payment_id` is set to a new id. Store it: after an error, `pay` with the
        same payment cannot pay twice, and `get` returns the result.
        """
        return self._caller.run(pay_flow(payment, self._retries))

    def get(self, payment_id: str) -> pb.Payment:
        """The present state of a payment, including whether it was given back."""
        return self._caller.run(get_payment_flow(payment_id, self._retries))

    def list(self, request: pb.ListPaymentsRequest | None = None) -> Iterator[pb.Payment]:
        """The partner's payments that pass the filters of `request`, the latest posted first."""
        asked = pb.ListPaymentsRequest()
        if request:
            asked.CopyFrom(request)
        while True:
            page = self._caller.run(LIST_PAYMENTS(asked, self._retries))
            yield from page.payments
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token

    def close(self) -> None:
        """Close the connection; calls that are under way end."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
