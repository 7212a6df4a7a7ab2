"""A model of the register in memory, written from README.md and the contract: what must hold.

It knows no flapping: whoever drives it keeps the changes of a status within an hour below the
number from which they are damped.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from camera_registry.model.status import CameraStatus

HOUR = timedelta(hours=1)
# A hub's report holds for one and a half intervals of a minute; what was known when somebody last
# looked for reports, for half an interval more.
HEARD = timedelta(seconds=90)
LOOKED = timedelta(seconds=30)
# Fewer changes than this within an hour are not damped, whether the hub was silent or not.
UNDAMPED = 3
UNHEARD = (CameraStatus.UNKNOWN, "")
SILENT = (CameraStatus.UNKNOWN, "HUB_SILENT")
NOT_REPORTED = (CameraStatus.OFFLINE, "NOT_REPORTED")
RETIRED = (CameraStatus.RETIRED, "")
# By the numbers of CameraCondition; CLOCK_OFF is a camera that works, with a clock that is wrong.
CLOCK_OFF = 5
REPORTED = {
    1: (CameraStatus.ONLINE, ""),
    2: (CameraStatus.OFFLINE, "UNREACHABLE"),
    3: (CameraStatus.TAMPERED, ""),
    4: (CameraStatus.DEGRADED, "PICTURE_STALE"),
    CLOCK_OFF: (CameraStatus.DEGRADED, "CLOCK_OFF"),
}
Standing = tuple[CameraStatus, str]
Counts = dict[tuple[str, str, str], Counter[CameraStatus]]


@dataclass(frozen=True)
class Look:
    """A camera's description, as far as these tests vary it. The papers are numbers."""

    name: str
    region: str
    latitude: float
    kind: str
    functions: frozenset[str]
    connected: bool
    serial: str
    category: str
    papers: frozenset[str]
    hub_id: UUID | None

    def with_papers(self, other: "Look") -> "Look":
        return replace(self, papers=self.papers | other.papers)


@dataclass
class Hub:
    region: str
    is_in_service: bool = True
    is_silent: bool = False
    heard_at: datetime | None = None


@dataclass
class Entry:
    """A camera. `looks` are its descriptions by version; `as_of` is None where the database's
    clock says it."""

    looks: list[Look]
    standing: Standing = UNHEARD
    as_of: datetime | None = None
    merged_into: UUID | None = None
    changed_at: list[datetime] = field(default_factory=list)

    @property
    def look(self) -> Look:
        return self.looks[-1]

    @property
    def is_retired(self) -> bool:
        return self.standing == RETIRED


@dataclass(frozen=True)
class ImportedRow:
    camera_id: UUID
    is_named: bool
    is_broken: bool
    is_stale: bool
    look: Look


class Refused(Exception):
    """What must be refused, by its code."""


@dataclass
class Model:
    """The cameras and hubs of a register, and when somebody last looked for reports."""

    cameras: dict[UUID, Entry] = field(default_factory=dict)
    hubs: dict[UUID, Hub] = field(default_factory=dict)
    looked_at: datetime | None = None

    def register(self, camera_id: UUID, look: Look) -> None:
        self._require_serial(camera_id, look)
        self.cameras[camera_id] = Entry([look])

    def change(self, camera_id: UUID, look: Look) -> None:
        entry = self.cameras[camera_id]
        if entry.is_retired:
            raise Refused("CAMERA_RETIRED")
        if look == entry.look:
            return
        self._require_serial(camera_id, look)
        self._describe(entry, look)

    def retire(self, camera_id: UUID, merged_into: UUID | None = None) -> None:
        entry = self.cameras[camera_id]
        if not entry.is_retired:
            entry.looks.append(entry.look)
            entry.standing, entry.as_of, entry.merged_into = RETIRED, None, merged_into

    def merge(self, kept_id: UUID, duplicate_id: UUID) -> None:
        kept, duplicate = self.cameras[kept_id], self.cameras[duplicate_id]
        if duplicate.merged_into == kept_id:
            return
        if kept.is_retired or duplicate.is_retired:
            raise Refused("CAMERA_RETIRED")
        if kept.look.kind != duplicate.look.kind:
            raise Refused("KINDS_DIFFER")
        self.retire(duplicate_id, kept_id)
        self.change(kept_id, kept.look.with_papers(duplicate.look))

    def take(self, rows: Sequence[ImportedRow]) -> tuple[int, int, int, list[int]]:
        """Import rows: how many are added, changed and unchanged, and which are refused."""
        added, changed, unchanged, refused = 0, 0, 0, []
        seen: set[UUID] = set()
        for number, row in enumerate(rows, 1):
            camera_id = self._sought(row, seen)
            if camera_id is None:
                refused.append(number)
            elif camera_id not in self.cameras:
                if not self._may_have_hub(None, row.look):
                    refused.append(number)
                    continue
                self.register(camera_id, row.look)
                added += 1
            else:
                entry = self.cameras[camera_id]
                is_cut_off = entry.look.connected and not row.look.connected
                hub_id = row.look.hub_id or (None if is_cut_off else entry.look.hub_id)
                look = replace(row.look, hub_id=hub_id).with_papers(entry.look)
                if look == entry.look:
                    unchanged += 1
                elif not self._may_have_hub(entry.look, look):
                    refused.append(number)
                    continue
                else:
                    self._describe(entry, look)
                    changed += 1
            seen |= {camera_id} if camera_id else set()
        return added, changed, unchanged, refused

    def _sought(self, row: ImportedRow, seen: set[UUID]) -> UUID | None:
        """The id of the camera that a row describes, None if the row is to be refused."""
        if row.is_broken:
            return None
        of_serial = self._of_serial(row.look.serial)
        known = row.camera_id if row.camera_id in self.cameras else None
        found = known if row.is_named else of_serial
        if row.is_stale or found in seen or of_serial not in (None, found):
            return None
        if found is not None and self.cameras[found].is_retired:
            return None
        return found or row.camera_id

    def report(self, hub_id: UUID, conditions: Mapping[UUID, int], now: datetime) -> None:
        """A hub in service reports on cameras, some of which may be another's."""
        self.judge(now)
        hub = self.hubs[hub_id]
        hub.heard_at, hub.is_silent = now, False
        for camera_id, entry in self._of_hub(hub_id):
            said = conditions.get(camera_id, 0)
            self._stand(entry, REPORTED.get(said, NOT_REPORTED), now, now)

    def has_unheard(self, hub_id: UUID) -> bool:
        """Whether a hub has not reported yet on one of its cameras."""
        return any(entry.standing == UNHEARD for _, entry in self._of_hub(hub_id))

    def judge(self, now: datetime) -> None:
        """Somebody looks for reports: hubs without one for too long are silent."""
        self.looked_at = now
        for hub_id, hub in self.hubs.items():
            is_late = hub.heard_at is not None and hub.heard_at <= now - HEARD
            if hub.is_in_service and is_late and not hub.is_silent:
                self._silence(hub_id, now)

    def revoke(self, hub_id: UUID, now: datetime) -> None:
        """A hub is revoked, and somebody looks."""
        self.hubs[hub_id].is_in_service = False
        self._silence(hub_id, now)
        self.judge(now)

    def is_any_damped(self, hub_id: UUID, now: datetime) -> bool:
        """Whether one more change of some camera of a hub might be damped."""
        return any(
            sum(now - HOUR < at for at in entry.changed_at) >= UNDAMPED
            for _, entry in self._of_hub(hub_id)
        )

    def read(self, entry: Entry, now: datetime) -> tuple[CameraStatus, str, datetime | None]:
        """The status that must be answered, its reason, and as of when; None stands for unknown."""
        status, reason = entry.standing
        if status not in {each for each, _ in REPORTED.values()}:
            return status, reason, entry.as_of
        assert entry.look.hub_id is not None
        as_of = self.hubs[entry.look.hub_id].heard_at
        is_watched = self.looked_at is not None and self.looked_at >= now - LOOKED
        return (status, reason, as_of) if is_watched else (CameraStatus.UNKNOWN, "", as_of)

    def counts(self, now: datetime) -> Counts:
        """The numbers of cameras in service by region, property, value and status."""
        found: Counts = {}
        for entry in self.cameras.values():
            if entry.is_retired:
                continue
            look = entry.look
            properties = [("registered", ""), ("kind", look.kind)]
            properties += [("connected", "")] * look.connected
            properties += [("with_ai", "")] * bool(look.functions)
            properties += [("function", name) for name in look.functions]
            properties += [("site_category", look.category)] * bool(look.category)
            for name, value in properties:
                counter = found.setdefault((look.region, name, value), Counter())
                counter[self.read(entry, now)[0]] += 1
        return found

    def _of_hub(self, hub_id: UUID) -> Iterable[tuple[UUID, Entry]]:
        return (
            (camera_id, entry)
            for camera_id, entry in self.cameras.items()
            if entry.look.hub_id == hub_id and not entry.is_retired
        )

    def _silence(self, hub_id: UUID, now: datetime) -> None:
        self.hubs[hub_id].is_silent = True
        for _, entry in self._of_hub(hub_id):
            if entry.standing not in (UNHEARD, SILENT):
                self._stand(entry, SILENT, now, self.hubs[hub_id].heard_at)

    def _stand(
        self, entry: Entry, standing: Standing, now: datetime, as_of: datetime | None
    ) -> None:
        if entry.standing != standing:
            entry.standing, entry.as_of = standing, as_of
            entry.changed_at.append(now)

    def _describe(self, entry: Entry, look: Look) -> None:
        if look.hub_id != entry.look.hub_id:
            entry.standing, entry.as_of = UNHEARD, None
        entry.looks.append(look)

    def _may_have_hub(self, before: Look | None, look: Look) -> bool:
        """A hub that was revoked keeps the cameras that nothing takes from it."""
        if look.hub_id is None:
            return True
        if before is not None and look.hub_id == before.hub_id and look.region == before.region:
            is_cut_off = before.connected and not look.connected
            if not is_cut_off:
                return True
        hub = self.hubs[look.hub_id]
        return hub.is_in_service and hub.region == look.region

    def _of_serial(self, serial: str) -> UUID | None:
        """The camera in service with a serial number; all are of one make."""
        for camera_id, entry in self.cameras.items():
            if entry.look.serial == serial and not entry.is_retired:
                return camera_id
        return None

    def _require_serial(self, camera_id: UUID, look: Look) -> None:
        if self._of_serial(look.serial) not in (None, camera_id):
            raise Refused("SERIAL_TAKEN")
