"""Limits how many requests and live streams each operator may have at once in this process, and
how many there may be in total. The totals are lower than those of a service."""

from contextlib import AbstractContextManager

from chassis.identity import Caller, Operator
from fastapi import Request
from host.shares import Shares

from operator_gateway.http import UPLOAD_BYTES_MAX

# Together below the server's bound on connections: pages, sign-in and probes need no operator.
CALLS_MAX = 56
STREAMS_MAX = 64


def operators_shares() -> Shares:
    """Return a new record of what each operator uses of this process, with this gateway's limits
    on calls and streams."""
    return Shares(calls_max=CALLS_MAX, urgent_reserved=0, streams_max=STREAMS_MAX)


def place_of(
    request: Request, operator: Operator, *, stream: bool
) -> AbstractContextManager[object]:
    """Return a context manager that admits a request, or with `stream` a live stream, of an
    operator. It counts against the operator's limits for the duration of the block.

    Raises ShareExceeded if the operator's limits are reached, Overloaded if the process's are.
    """
    length = request.headers.get("content-length", "")
    size = min(int(length), UPLOAD_BYTES_MAX) if length.isascii() and length.isdigit() else 0
    caller = Caller("service", "operator-gateway", operator)
    shares: Shares = request.app.state.shares
    return shares.place(caller, size, stream=stream, urgent=False)
