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
    """Return the limits of this process: how many calls and live streams each operator, and all
    operators together, may have open at once."""
    return Shares(calls_max=CALLS_MAX, urgent_reserved=0, streams_max=STREAMS_MAX)


def place_of(
    request: Request, operator: Operator, *, stream: bool
) -> AbstractContextManager[object]:
    """Return a context manager for serving an operator's request: while its block runs, the request
    (a live stream if `stream`) counts against the limits of the operator and of the process.

    Raises ShareExceeded if a limit of the operator is reached, Overloaded if one of the process is.
    """
    length = request.headers.get("content-length", "")
    size = min(int(length), UPLOAD_BYTES_MAX) if length.isascii() and length.isdigit() else 0
    caller = Caller("service", "operator-gateway", operator)
    shares: Shares = request.app.state.shares
    return shares.place(caller, size, stream=stream, urgent=False)
