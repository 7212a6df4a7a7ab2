"""The live feed: passes events on, as they happen, to operators who are permitted to know of them.

An event has a subject, a record's id, a region and a time, but no payload. A client reads the
record from the service that owns it, and that call is audited. A client that reconnects first gets
the events that it missed, as far as they are still stored here. Events of citizens' reports are not
stored: a client that missed some gets a "gap" message and reads its lists again. A client that is
too slow loses its oldest events. It is told how many, and does not get them when it reconnects.
"""

import asyncio
import heapq
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
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
    "inference.v1.evidence_damaged": INTERNAL_SECURITY,
    "violations.v1.access_refused": INTERNAL_SECURITY,
    "fines.v1.access_refused": INTERNAL_SECURITY,
    "reports.v1.access_refused": INTERNAL_SECURITY,
    "cameras.v1.": REVIEWERS | {"camera_administrator", "dispatcher"},
    "inference.v1.face_candidate": frozenset({"watchlist_officer"}),
    "inference.v1.plate_read": frozenset(),
    "inference.v1.": REVIEWERS | {"dispatcher"},
    "violations.v1.conflict_found": frozenset({"supervisor"}),
    "violations.v1.": REVIEWERS,
    "fines.v1.": REVIEWERS | {"finance"},
    "reports.v1.": frozenset({"dispatcher", "supervisor"}),
}
# The streams that are followed, and the beginning of their subjects.
SUBJECTS = {
    "CAMERAS": "cameras.v1.",
    "FINES": "fines.v1.",
    "REPORTS": "reports.v1.",
    "SIGHTINGS": "inference.v1.",
    "VIOLATIONS": "violations.v1.",
}
STREAMS = tuple(SUBJECTS)
# Streams whose events are passed on once, as they happen. A report may be raised to a class that
# its earlier readers may not know of; an older event would tell them that it exists.
NOT_STORED = frozenset({"REPORTS"})
_POSITION = re.compile(r"[A-Z]+\.\d{1,18}(-[A-Z]+\.\d{1,18})*")
Position = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """An event of a service, without its payload. `aggregate` is the id of the record that changed,
    `version` the record's version after the change (0 if unknown), `story` a correlation id."""

    stream: str
    sequence: int
    subject: str
    aggregate: str
    region: str
    at: datetime
    story: str
    # Of the aggregate after the fact; 0 where the header is absent.
    version: int = 0


@dataclass(frozen=True)
class FeedMessage:
    """A message to a client. The field `kind` is "ready", "fact" (with an event), "dropped" (with
    the number of missed events) or "gap". A client that reconnects with `position` resumes after
    this message."""

    kind: str
    position: str
    event: LiveEvent | None = None
    missed: int = 0


def may_know(operator: Operator, event: LiveEvent) -> bool:
    """Whether the operator may be told of the event. The operator must have the event's region and
    one of the roles in `AUDIENCES`. In `AUDIENCES`, the first entry that matches the beginning of
    the event's subject applies."""
    if "*" not in operator.regions and event.region not in operator.regions:
        return False
    for prefix, roles in AUDIENCES.items():
        if event.subject.startswith(prefix):
            return bool(roles & operator.roles)
    return False


def may_follow(operator: Operator, stream: str) -> bool:
    """Whether the operator's roles permit at least some of the events of this stream."""
    return any(
        roles & operator.roles
        for prefix, roles in AUDIENCES.items()
        if prefix.startswith(SUBJECTS[stream])
    )


def read_position(text: str) -> Position | None:
    """Return the position (the last sequence number of each stream) that an event id encodes, None
    if the id is malformed or names an unknown stream."""
    if len(text) > 200 or not _POSITION.fullmatch(text):
        return None
    found = {
        stream: int(number) for stream, _, number in (p.partition(".") for p in text.split("-"))
    }
    return found if set(found) <= set(STREAMS) else None


def write_position(position: Position) -> str:
    return "-".join(f"{stream}.{position[stream]}" for stream in sorted(position))


class Listener:
    """The queues of one client: earlier events that it missed, and a limited number of new events.
    `next` returns the next message for the client."""

    def __init__(
        self, operator: Operator, position: Position, replayed: Iterable[LiveEvent] = ()
    ) -> None:
        self._operator = operator
        # Where a client that got everything so far resumes.
        self._position = position
        self._replayed = deque(event for event in replayed if may_know(operator, event))
        self._waiting: deque[LiveEvent] = deque()
        # How many facts were lost since the client was last told, and the latest of them.
        self._missed = 0
        self._missed_to: Position = {}
        self._gap = False
        self._something = asyncio.Event()
        if self._replayed:
            self._something.set()
        self.closed = False

    @property
    def position(self) -> str:
        return write_position(self._position)

    def offer(self, event: LiveEvent) -> None:
        if not may_know(self._operator, event):
            return
        if len(self._waiting) >= QUEUED_EVENTS:
            lost = self._waiting.popleft()
            self._missed += 1
            self._missed_to[lost.stream] = lost.sequence
        self._waiting.append(event)
        self._something.set()

    def mark_gap(self) -> None:
        self._gap = True
        self._something.set()

    def skip_to(self, stream: str, sequence: int) -> None:
        """Set the position in a stream, without the events before it. A client that may follow the
        stream gets a "gap" message, since it may have missed events."""
        self._position[stream] = sequence
        if may_follow(self._operator, stream):
            self.mark_gap()

    def close(self) -> None:
        self.closed = True
        self._something.set()

    async def next(self, *, within_seconds: float) -> FeedMessage | None:
        """Wait for the next message and return it; None if none came within the given time or the
        feed was closed."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        except TimeoutError:
            return None
        message = self._take()
        if not (self._gap or self._replayed or self._missed or self._waiting or self.closed):
            self._something.clear()
        return message

    def _take(self) -> FeedMessage | None:
        if self._gap:
            self._gap = False
            return FeedMessage("gap", self.position)
        if self._replayed:
            return self._fact(self._replayed.popleft())
        if self._missed:
            missed, self._missed = self._missed, 0
            self._position |= self._missed_to
            self._missed_to = {}
            return FeedMessage("dropped", self.position, missed=missed)
        return self._fact(self._waiting.popleft()) if self._waiting else None

    def _fact(self, event: LiveEvent) -> FeedMessage:
        self._position[event.stream] = event.sequence
        return FeedMessage("fact", self.position, event)


class LiveFeed:
    """The latest events of each stream, and the listeners (clients) that get every new event."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[LiveEvent]] = {
            stream: deque(maxlen=0 if stream in NOT_STORED else REPLAYED_EVENTS)
            for stream in STREAMS
        }
        self._latest: Position = dict.fromkeys(STREAMS, 0)
        self._listeners: set[Listener] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, event: LiveEvent) -> None:
        if event.sequence <= self._latest[event.stream]:
            return
        self._latest[event.stream] = event.sequence
        self._recent[event.stream].append(event)
        for listener in self._listeners:
            listener.offer(event)

    def forget(self, stream: str) -> None:
        """Delete the stored events of a stream, because the stream was created again and its
        sequence numbers have restarted."""
        self._recent[stream].clear()
        self._move_to(stream, 0)

    def skip_to(self, stream: str, sequence: int) -> None:
        """Go on after this sequence number of a stream whose events up to it are not passed on."""
        if sequence > self._latest[stream]:
            self._move_to(stream, sequence)

    def _move_to(self, stream: str, sequence: int) -> None:
        self._latest[stream] = sequence
        for listener in self._listeners:
            listener.skip_to(stream, sequence)

    def latest(self, stream: str) -> int:
        return self._latest[stream]

    def listen(self, operator: Operator, after: Position | None = None) -> Listener:
        """Register and return a listener to new events. If `after` is given, the listener first
        gets the events after this position. If some of those are no longer stored, the listener
        gets a "gap" message."""
        resumed = {
            stream: self._resumed(stream, number) for stream, number in (after or {}).items()
        }
        missed = (self._published_after(stream, number) for stream, number in resumed.items())
        # By time over all streams; each stream keeps its own order, whatever the times say.
        replayed = heapq.merge(*missed, key=lambda event: event.at)
        listener = Listener(operator, self._latest | resumed, replayed)
        if any(self._has_gap(operator, stream, number) for stream, number in (after or {}).items()):
            listener.mark_gap()
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

    def _resumed(self, stream: str, sequence: int) -> int:
        """Return where a client with the position `sequence` goes on: there, or at 0 if the stream
        never reached it because the stream was created again. Where no events are stored, the
        client goes on with what is new."""
        if stream in NOT_STORED:
            return self._latest[stream]
        return sequence if sequence <= self._latest[stream] else 0

    def _published_after(self, stream: str, sequence: int) -> list[LiveEvent]:
        return [event for event in self._recent[stream] if event.sequence > sequence]

    def _has_gap(self, operator: Operator, stream: str, sequence: int) -> bool:
        recent, latest = self._recent[stream], self._latest[stream]
        oldest = recent[0].sequence if recent else latest + 1
        return may_follow(operator, stream) and (sequence > latest or sequence + 1 < oldest)


async def messages_for(
    listener: Listener, *, heartbeat_seconds: float
) -> AsyncIterator[FeedMessage | None]:
    """Yield the messages for a client until the feed closes. Whenever no message came within
    `heartbeat_seconds`, yield None."""
    while not listener.closed:
        yield await listener.next(within_seconds=heartbeat_seconds)
