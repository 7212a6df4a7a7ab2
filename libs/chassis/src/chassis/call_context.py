"""What a handler may know of the call it serves: who calls, until when. Bound by the gate."""

import time
from contextvars import ContextVar
from dataclasses import dataclass

from chassis.identity import Caller


@dataclass(frozen=True)
class Call:
    caller: Caller
    method: str
    # time.monotonic() at which the caller stops waiting; None for a long-lived stream.
    deadline: float | None
    # Forwarded to peers that decide for themselves.
    token: str

    @property
    def remaining_seconds(self) -> float | None:
        """How long the caller still waits; negative once that is over, None without a deadline."""
        return None if self.deadline is None else self.deadline - time.monotonic()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def bind(call: Call) -> None:
    """Makes `call` the one that this task serves."""
    _current.set(call)


def current_or_none() -> Call | None:
    """The call that this task serves, None outside of calls."""
    return _current.get()


def current_caller() -> Caller:
    """Who calls. Raises LookupError outside of calls."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here")
    return call.caller
