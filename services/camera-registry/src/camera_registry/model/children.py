"""The cameras of one hub, in memory, and how the hub's reports and silence change their states.

A hub's reports change the status of a camera at most six times an hour. The fifth change within an
hour makes the camera DEGRADED, with the reason FLAPPING, whatever is reported. The camera stays
DEGRADED until two conditions hold: the hub has reported one state for ten minutes, and at most four
changes lie within the last hour. If a hub falls silent, its cameras become UNKNOWN in any case.
When the hub reports again, a camera stays UNKNOWN as long as more than three changes lie within the
last hour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from camera_registry.model.hubs import ID_BYTES, Report
from camera_registry.model.status import State

HOUR = timedelta(hours=1)
STEADY = timedelta(minutes=10)
# Within this time after it has got a camera, a hub may send a report without it.
JOINING = timedelta(minutes=1)
# Changes within the hour, after which the next is to FLAPPING.
CHANGES_FREE = 4
# After more changes within the hour, a camera of a silent hub stays UNKNOWN when the hub returns.
CHANGES_BEFORE_RETURN = 3


@dataclass(frozen=True)
class Child:
    """A camera of a hub, as stored. `changed_at` has the times of its recent changes of state.

    The field `verified_until` is None if the camera needs no verification. In the state UNHEARD (no
    report since the camera was assigned to this hub), `joined_at` is the time of the assignment. In
    all other states it is None.
    """

    camera_id: UUID
    state: State
    changed_at: tuple[datetime, ...] = ()
    verified_until: datetime | None = None
    joined_at: datetime | None = None


@dataclass(frozen=True)
class Transition:
    """A change of a camera to `state`. `changed_at` has the times of the camera's changes in the
    last hour, including this one. The clock offset is 0 unless the state is CLOCK_OFF."""

    camera_id: UUID
    state: State
    changed_at: tuple[datetime, ...]
    clock_offset_milliseconds: int = 0


@dataclass
class _Steady:
    """The state that a flapping camera's reports say, and since when they say it."""

    state: int
    since: datetime


@dataclass
class Children:
    """The cameras of a hub in the order of their ids, each with its state."""

    _ids: NDArray[np.bytes_]
    # The same ids, one after another.
    _id_bytes: bytes
    _states: NDArray[np.uint8]
    # Seconds since 1970; infinite where no verification is needed.
    _verified_until: NDArray[np.float64]
    # Seconds since 1970; infinitely long ago where that is not known.
    _joined_at: NDArray[np.float64]
    _changed_at: dict[int, tuple[datetime, ...]]
    _steady: dict[int, _Steady] = field(default_factory=dict)
    # The last report's ids, and which of them are this hub's cameras, at which index.
    _listed: tuple[bytes, NDArray[np.bool_], NDArray[np.intp]] | None = None

    @classmethod
    def of(cls, cameras: Iterable[Child]) -> "Children":
        ordered = sorted(cameras, key=lambda child: child.camera_id.bytes)
        ends = [
            child.verified_until.timestamp() if child.verified_until else np.inf
            for child in ordered
        ]
        joined = [child.joined_at.timestamp() if child.joined_at else -np.inf for child in ordered]
        ids = b"".join(child.camera_id.bytes for child in ordered)
        return cls(
            np.frombuffer(ids, f"S{ID_BYTES}"),
            ids,
            np.array([child.state for child in ordered], np.uint8),
            np.array(ends, np.float64),
            np.array(joined, np.float64),
            {place: child.changed_at for place, child in enumerate(ordered) if child.changed_at},
        )

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def states(self) -> Sequence[int]:
        """The cameras' states, as numbers (`State`), in the order of the cameras' ids."""
        return [int(state) for state in self._states]

    def follow(self, report: Report, now: datetime) -> tuple[list[Transition], int]:
        """Update the cameras' states from a report.

        Returns the changes of state, and the number of cameras in the report that do not belong to
        this hub.
        """
        is_ours, places = self._found(report.camera_ids)
        reported = np.full(len(self._ids), State.NOT_REPORTED, np.uint8)
        # A report may be older than its hub knows of a camera: that one was not left out of it.
        is_new = self._joined_at > (report.sent_at - JOINING).timestamp()
        reported[is_new & (self._states == State.UNHEARD)] = State.UNHEARD
        reported[places] = report.states[is_ours]
        has_ended = self._verified_until <= now.timestamp()
        reported[has_ended & (reported == State.ONLINE)] = State.VERIFICATION_ENDED
        differs = np.flatnonzero(reported != self._states).tolist()
        looked_at = {*differs, *self._steady}
        changes = {
            place: change
            for place in looked_at
            if (change := self._follow_one(place, State(reported[place]), now))
        }
        self._add_offsets(changes, report, is_ours, places)
        return list(changes.values()), len(is_ours) - len(places)

    def fall_silent(self, now: datetime) -> list[Transition]:
        """Set all cameras with a reported state to HUB_SILENT; return these changes of state."""
        reported = (self._states != State.UNHEARD) & (self._states != State.HUB_SILENT)
        self._steady.clear()
        places = np.flatnonzero(reported).tolist()
        return [
            self._change(place, State.HUB_SILENT, self._recent(place, now), now) for place in places
        ]

    def _add_offsets(
        self,
        changes: dict[int, Transition],
        report: Report,
        is_ours: NDArray[np.bool_],
        places: NDArray[np.intp],
    ) -> None:
        off = [place for place, change in changes.items() if change.state is State.CLOCK_OFF]
        if not off:
            return
        offsets = np.zeros(len(self._ids), np.int64)
        offsets[places] = report.clock_offsets[is_ours]
        for place in off:
            offset = int(offsets[place])
            changes[place] = replace(changes[place], clock_offset_milliseconds=offset)

    def _found(self, ids: NDArray[np.bytes_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Which of these ids are this hub's cameras, and at which index each of those is."""
        given = ids.tobytes()
        if self._listed is None or self._listed[0] != given:
            places = np.searchsorted(self._ids, ids)
            is_ours = places < len(self._ids)
            is_ours[is_ours] = self._ids[places[is_ours]] == ids[is_ours]
            self._listed = given, is_ours, places[is_ours]
        return self._listed[1], self._listed[2]

    def _follow_one(self, place: int, reported: State, now: datetime) -> Transition | None:
        recent = self._recent(place, now)
        current = State(self._states[place])
        if current is State.FLAPPING:
            return self._calm(place, reported, recent, now)
        if current is State.HUB_SILENT and len(recent) > CHANGES_BEFORE_RETURN:
            return None
        if len(recent) >= CHANGES_FREE:
            self._steady[place] = _Steady(reported, now)
            return self._change(place, State.FLAPPING, recent, now)
        return self._change(place, reported, recent, now)

    def _calm(
        self, place: int, reported: State, recent: tuple[datetime, ...], now: datetime
    ) -> Transition | None:
        """Let a flapping camera have the reported state, once the reports have said it for long
        enough."""
        steady = self._steady.get(place)
        if steady is None or steady.state != reported:
            self._steady[place] = _Steady(reported, now)
            return None
        if now - steady.since < STEADY or len(recent) > CHANGES_FREE:
            return None
        del self._steady[place]
        return self._change(place, reported, recent, now)

    def _recent(self, place: int, now: datetime) -> tuple[datetime, ...]:
        """The times of the changes within the last hour. Times after `now` are left out: they date
        from before the clock was set back."""
        return tuple(at for at in self._changed_at.get(place, ()) if now - HOUR < at <= now)

    def _change(
        self, place: int, state: State, recent: tuple[datetime, ...], now: datetime
    ) -> Transition:
        self._states[place] = state
        self._changed_at[place] = changed_at = (*recent, now)
        start = place * ID_BYTES
        camera_id = UUID(bytes=self._id_bytes[start : start + ID_BYTES])
        return Transition(camera_id, state, changed_at)
