"""The position at which a stream of changes continues after a break: its resume token, and the
changes returned already."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import grpc
from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner.errors import refusal_of
from tartip_partner.retries import Retries, check_repeatable

_REMEMBERED_MAX = 10_000


class TokenStore(Protocol):
    """Keeps the resume token of the last handled change.

    It is best kept in the database in which the change is handled, by the same transaction;
    `FileTokenStore` is the simplest way.
    """

    def load(self) -> str:
        """The token kept last; "" before the first."""

    def save(self, token: str) -> None:
        """Replace the former token by this one, so that a crash leaves one of the two."""


class FileTokenStore:
    """Keeps the token in a file, which is replaced as a whole."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> str:
        return self._path.read_text().strip() if self._path.exists() else ""

    def save(self, token: str) -> None:
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w") as file:
            file.write(token)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


class Following:
    """The state of one `watch`: the token to go on from, and tokens of changes given before."""

    def __init__(
        self, resume_token: str, store: TokenStore | None, retries: Retries, until: str = ""
    ) -> None:
        self._store = store
        self._until = int(until) if until else None
        self._retries = retries
        self._breaks = 0
        self.broken: grpc.RpcError | None = None
        self._token = (store.load() if store else "") or resume_token
        self._given: set[str] = set()
        self._order: deque[str] = deque()

    @property
    def is_done(self) -> bool:
        """Whether the change after which the stream ends was handled."""
        return self._until is not None and int(self._token or "0") >= self._until

    def request(self) -> pb.WatchReportsRequest:
        return pb.WatchReportsRequest(resume_token=self._token)

    def is_new(self, change: pb.WatchReportsResponse) -> bool:
        """False for a change that was returned before, so that it is not handled twice."""
        self._breaks = 0
        return change.resume_token not in self._given

    def each_new(
        self, stream: Iterator[pb.WatchReportsResponse]
    ) -> Iterator[pb.WatchReportsResponse]:
        """The changes in `stream` that are new, up to the one at which it ends."""
        for change in filter(self.is_new, stream):
            yield change
            if self.is_done:  # by now the caller has kept it
                return

    async def new_in(
        self, stream: AsyncIterator[pb.WatchReportsResponse]
    ) -> AsyncIterator[pb.WatchReportsResponse]:
        """The changes in `stream` that are new, up to the one at which it ends."""
        async for change in stream:
            if self.is_new(change):
                yield change
                if self.is_done:
                    return

    def pause(self) -> float:
        """Seconds until the stream that ended is opened again. Raises where that cannot help."""
        retry_after = None
        if self.broken is not None:  # else the service ended it, as it does when it stops
            refused = refusal_of(self.broken)
            check_repeatable(refused)
            retry_after = refused.retry_after
        self._breaks += 1
        return self._retries.pause(self._breaks - 1, retry_after)

    def keep(self, change: pb.WatchReportsResponse) -> None:
        """Remember that the caller is done with a change: the stream goes on after it."""
        self._token = change.resume_token
        self._given.add(self._token)
        self._order.append(self._token)
        if len(self._order) > _REMEMBERED_MAX:
            self._given.discard(self._order.popleft())
        if self._store:
            self._store.save(self._token)
