"""Limits how many requests and live streams this process serves at once, for each operator and in
total. The total limits are lower in the gateway than in the services behind it."""

from contextlib import AbstractContextManager

from chassis.identity import Caller, Operator
from fastapi import Request
from host.shares import Shares

from operator_gateway.http import UPLOAD_BYTES_MAX

# Together below the server's bound on connections: pages, sign-in and probes need no operator.
CALLS_MAX = 56
STREAMS_MAX = 64


def operators_shares() -> Shares:
    """Return the limits of this process on calls and live streams that are open at once. They hold
    for each operator and for all operators together."""
    return Shares(calls_max=CALLS_MAX, urgent_reserved=0, streams_max=STREAMS_MAX)


def place_of(
    request: Request, operator: Operator, *, stream: bool
) -> AbstractContextManager[object]:
    """Return a context manager for serving an operator's request. While its block runs, the request
    counts against the limits of requests or, if `stream`, of live streams.

    Raises ShareExceeded if the operator's limit is reached, Overloaded if the limit of this process
    is reached.
    """
    length = request.headers.get("content-length", "")
    size = min(int(length), UPLOAD_BYTES_MAX) if length.isascii() and length.isdigit() else 0
    caller = Caller("service", "operator-gateway", operator)
    shares: Shares = request.app.state.shares
    return shares.place(caller, size, stream=stream, urgent=False)
