"""The gRPC call that an asyncio task serves: its caller and deadline, as set by `host.gate`."""

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
    def is_endless(self) -> bool:
        """Whether the call is a stream without a deadline, which ends when the process stops."""
        return self.deadline is None

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds until the caller's deadline; negative after it, None without a deadline."""
        return None if self.deadline is None else self.deadline - time.monotonic()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def bind(call: Call) -> None:
    """Make `call` the current call of this task."""
    _current.set(call)


def current_or_none() -> Call | None:
    """The current call; None outside of calls."""
    return _current.get()


def current_caller() -> Caller:
    """The caller of the current call. Raises LookupError outside of calls."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here")
    return call.caller
