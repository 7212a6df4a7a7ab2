"""How much of this gateway each operator may use at once; it has less room than a service."""

from contextlib import AbstractContextManager

from chassis.identity import Caller, Operator
from fastapi import Request
from host.shares import Shares

from operator_gateway.http import UPLOAD_BYTES_MAX

# Together below the server's bound on connections: pages, sign-in and probes need no operator.
CALLS_MAX = 56
STREAMS_MAX = 64


def operators_shares() -> Shares:
    """Return the account of what each operator uses of this process, with its limits."""
    return Shares(calls_max=CALLS_MAX, urgent_reserved=0, streams_max=STREAMS_MAX)


def place_of(
    request: Request, operator: Operator, *, stream: bool
) -> AbstractContextManager[object]:
    """Admit a request or stream of an operator; it counts against the operator's share for the
    block. Raises ShareExceeded or Overloaded."""
    length = request.headers.get("content-length", "")
    size = min(int(length), UPLOAD_BYTES_MAX) if length.isascii() and length.isdigit() else 0
    caller = Caller("service", "operator-gateway", operator)
    shares: Shares = request.app.state.shares
    return shares.place(caller, size, stream=stream, urgent=False)
