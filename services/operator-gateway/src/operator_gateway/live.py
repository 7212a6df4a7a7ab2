"""The live feed: facts as they happen, to those operators who may know of them.

A fact is told by its subject, the id it is about, its region and its time, no more; payloads never
reach this process. Who wants the rest asks the owner, by an audited call. Clients that cannot keep
up lose the oldest facts and are told how many.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.identity import Operator

REPLAYED_EVENTS = 1000
QUEUED_EVENTS = 256

# Which roles may know of which facts. Complaints and plate reads are not followed at all.
REVIEWERS = frozenset({"inspector", "supervisor"})
INTERNAL_SECURITY = frozenset({"internal_security"})
AUDIENCES: Mapping[str, frozenset[str]] = {
    "inference.v1.access_refused": INTERNAL_SECURITY,
    "violations.v1.access_refused": INTERNAL_SECURITY,
    "reports.v1.access_refused": INTERNAL_SECURITY,
    "cameras.v1.": REVIEWERS | {"camera_administrator", "dispatcher"},
    "inference.v1.face_candidate": frozenset({"watchlist_officer"}),
    "inference.v1.plate_read": frozenset(),
    "inference.v1.": REVIEWERS | {"dispatcher"},
    "violations.v1.": REVIEWERS,
    "fines.v1.": REVIEWERS | {"finance"},
    "reports.v1.": frozenset({"dispatcher", "supervisor"}),
}
STREAMS = ("CAMERAS", "FINES", "REPORTS", "SIGHTINGS", "VIOLATIONS")
_POSITION = re.compile(r"[A-Z]+\.\d{1,18}(-[A-Z]+\.\d{1,18})*")
Position = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """A fact, without its content."""

    stream: str
    sequence: int
    subject: str
    aggregate: str
    region: str
    at: datetime
    story: str


@dataclass(frozen=True)
class Told:
    """What a client gets: an event, or what it missed; `position` is where to resume after it."""

    kind: str
    position: str
    event: LiveEvent | None = None
    missed: int = 0


def may_know(operator: Operator, event: LiveEvent) -> bool:
    """The first prefix that fits decides."""
    if "*" not in operator.regions and event.region not in operator.regions:
        return False
    for prefix, roles in AUDIENCES.items():
        if event.subject.startswith(prefix):
            return bool(roles & operator.roles)
    return False


def read_position(text: str) -> Position | None:
    """The position that an event id names; None where it names none."""
    if len(text) > 200 or not _POSITION.fullmatch(text):
        return None
    found = {
        stream: int(number) for stream, _, number in (p.partition(".") for p in text.split("-"))
    }
    return found if set(found) <= set(STREAMS) else None


def write_position(position: Position) -> str:
    return "-".join(f"{stream}.{position[stream]}" for stream in sorted(position))


class Listener:
    """One client's bounded queue."""

    def __init__(self, operator: Operator, position: Position) -> None:
        self._operator = operator
        self._position = position
        self._waiting: deque[LiveEvent] = deque()
        self._dropped = 0
        self._gap = False
        self._something = asyncio.Event()
        self.closed = False

    def offer(self, event: LiveEvent) -> None:
        if not may_know(self._operator, event):
            return
        if len(self._waiting) >= QUEUED_EVENTS:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(event)
        self._something.set()

    def tell_gap(self) -> None:
        self._gap = True
        self._something.set()

    def close(self) -> None:
        self.closed = True
        self._something.set()

    async def next(self, *, within_seconds: float) -> Told | None:
        """What comes next; None when nothing did or the feed has closed."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        except TimeoutError:
            return None
        return self._take()

    def _take(self) -> Told | None:
        told: Told | None = None
        if self._gap:
            self._gap = False
            told = Told("gap", write_position(self._position))
        elif self._dropped:
            told = Told("dropped", write_position(self._position), missed=self._dropped)
            self._dropped = 0
        elif self._waiting:
            event = self._waiting.popleft()
            self._position[event.stream] = event.sequence
            told = Told("fact", write_position(self._position), event)
        if not (self._gap or self._dropped or self._waiting or self.closed):
            self._something.clear()
        return told


class LiveFeed:
    """What was heard lately on each stream, and who listens."""

    def __init__(self) -> None:
        self._heard: dict[str, deque[LiveEvent]] = {
            stream: deque(maxlen=REPLAYED_EVENTS) for stream in STREAMS
        }
        self._latest: Position = dict.fromkeys(STREAMS, 0)
        self._listeners: set[Listener] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def hear(self, event: LiveEvent) -> None:
        if event.sequence <= self._latest[event.stream]:
            return
        self._latest[event.stream] = event.sequence
        self._heard[event.stream].append(event)
        for listener in self._listeners:
            listener.offer(event)

    def forget(self, stream: str) -> None:
        """The stream was made anew: its numbers begin again."""
        self._heard[stream].clear()
        self._latest[stream] = 0

    def latest(self, stream: str) -> int:
        return self._latest[stream]

    def listen(self, operator: Operator, after: Position | None = None) -> Listener:
        """A listener from now on, or from a position where what came since is still known."""
        listener = Listener(operator, dict(self._latest) | (after or {}))
        if after is not None:
            self._replay(listener, after)
        self._listeners.add(listener)
        if self._closed:
            listener.close()
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        self._closed = True
        for listener in self._listeners:
            listener.close()

    def _replay(self, listener: Listener, after: Position) -> None:
        for stream, sequence in after.items():
            heard = self._heard[stream]
            oldest = heard[0].sequence if heard else self._latest[stream] + 1
            if sequence > self._latest[stream] or sequence + 1 < oldest:
                listener.tell_gap()
            for event in list(heard):
                if event.sequence > sequence:
                    listener.offer(event)


async def told_to(listener: Listener, *, heartbeat_seconds: float) -> AsyncIterator[Told | None]:
    """What the listener is told, None for a heartbeat; ends when the feed closes."""
    while not listener.closed:
        yield await listener.next(within_seconds=heartbeat_seconds)
