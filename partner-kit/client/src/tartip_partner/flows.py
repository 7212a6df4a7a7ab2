"""The steps of the client's methods, independent of a connection.

A flow is a generator: it yields steps (a call, a pause, work on a file), is sent their results, and
returns what the method returns. `Caller` carries the steps out in a thread, `AsyncCaller` in an
event loop, so that what is done and when it is repeated is written once.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import grpc
from google.protobuf.message import Message

from tartip_partner.errors import NoAnswer, refusal_of
from tartip_partner.retries import Retries, check_repeatable

T = TypeVar("T")
Asked = TypeVar("Asked", bound=Message)
Answered = TypeVar("Answered", bound=Message)


@dataclass(frozen=True)
class Call:
    """Send `request` to a method; the result is its answer."""

    method: str
    request: Message
    deadline_seconds: float


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Work:
    """Call `run`, which may wait for a disk; the result is what it returns."""

    run: Callable[[], object]


Flow = Generator[Call | Pause | Work, Any, T]


@dataclass(frozen=True)
class Rpc(Generic[Asked, Answered]):
    """A method of a service, with the types of its request and answer."""

    method: str

    def __call__(
        self, request: Asked, retries: Retries, *, is_piece: bool = False
    ) -> Flow[Answered]:
        """Send `request`, and repeat it as long as its result is unknown.

        Raises Refused, NoAnswer or MessageTooLarge.
        """
        ends = time.monotonic() + retries.total_seconds
        deadline = retries.piece_seconds if is_piece else retries.call_seconds
        for repetitions in itertools.count():
            left = max(ends - time.monotonic(), 0.001)
            try:
                return cast(Answered, (yield Call(self.method, request, min(deadline, left))))
            except grpc.RpcError as error:
                refused = refusal_of(error)
            check_repeatable(refused)
            pause = retries.pause(repetitions, refused.retry_after)
            if time.monotonic() + pause >= ends:
                raise NoAnswer(repetitions + 1, refused)
            yield Pause(pause)
        raise AssertionError("unreachable")
