"""What each operator may use of this gateway, which has less room than a service."""

from contextlib import AbstractContextManager

from chassis.identity import Caller, Operator
from fastapi import Request
from host.shares import Shares

from operator_gateway.http import UPLOAD_BYTES_MAX

# Together below the server's bound on connections: pages, sign-in and probes need no operator.
CALLS_MAX = 56
STREAMS_MAX = 64


def operators_shares() -> Shares:
    """Return the shares of this process."""
    return Shares(calls_max=CALLS_MAX, urgent_reserved=0, streams_max=STREAMS_MAX)


def place_of(
    request: Request, operator: Operator, *, stream: bool
) -> AbstractContextManager[object]:
    """Hold a place in the operator's share. Raises ShareExceeded or Overloaded."""
    length = request.headers.get("content-length", "")
    size = min(int(length), UPLOAD_BYTES_MAX) if length.isascii() and length.isdigit() else 0
    caller = Caller("service", "operator-gateway", operator)
    shares: Shares = request.app.state.shares
    return shares.place(caller, size, stream=stream, urgent=False)
