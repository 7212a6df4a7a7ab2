"""Imports of cameras: decides what is done with each row of a batch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from chassis.clock import new_id
from chassis.refusals import FieldError, IdReused, Kind, Refusal

from camera_registry.model.camera import (
    NO_OWNER,
    Camera,
    CameraChangedMeanwhile,
    CameraNotFound,
    CameraRetired,
    RegionNotYours,
    SerialTaken,
)
from camera_registry.model.description import Description, SerialKey
from camera_registry.model.hubs import HubKind, wrong_hub

ROWS_MAX = 2000
NO_HUBS: Mapping[tuple[UUID, str], HubKind] = MappingProxyType({})


class ImportNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "IMPORT_NOT_FOUND"


@dataclass(frozen=True)
class Row:
    """A row of an import: a camera, and the errors in its description.

    The field `number` is the row's number, from 1. The field `version` is the version of the camera
    on which the description is based; 0 allows any version.
    """

    number: int
    camera_id: UUID | None
    description: Description
    errors: tuple[FieldError, ...] = ()
    version: int = 0


@dataclass(frozen=True)
class Batch:
    """Rows of an import that were sent together; `sha256` is the hash of all of them."""

    import_id: UUID
    number: int
    rows: tuple[Row, ...]
    sha256: bytes
    is_dry_run: bool = False


@dataclass(frozen=True)
class Finding:
    """Why a row was refused, or what a person should check: the field ("" for the whole row), a
    reason code, what was expected, and the id of another camera involved, if any."""

    row: int
    field: str
    reason: str
    expected: str = ""
    camera_id: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a batch: counts of cameras, and findings ordered by row.

    The field `number` is the number of the batch. The field `last_row` is the number of its last
    row.
    """

    number: int
    last_row: int
    added: int
    changed: int
    unchanged: int
    refused: tuple[Finding, ...]
    probable_duplicates: tuple[Finding, ...]


@dataclass(frozen=True)
class Standing:
    """The progress of an import so far: its last batch and row, and the totals of its batches."""

    last_number: int
    last_row: int
    added: int
    changed: int
    unchanged: int
    refused_rows: int


@dataclass
class Decision:
    """What was decided for the rows of a batch: cameras by row number, and refusals as findings."""

    added: dict[int, Camera] = field(default_factory=dict)
    changed: dict[int, Camera] = field(default_factory=dict)
    unchanged: dict[int, Camera] = field(default_factory=dict)
    refused: list[Finding] = field(default_factory=list)
    # Of the cameras in the rows so far.
    camera_ids: set[UUID] = field(default_factory=set)

    def take(self, row: int, camera: Camera, before: Camera | None) -> None:
        """Record the camera of a row as added, changed or unchanged.

        The camera is added if `before` is None, unchanged if it is `before` itself, otherwise
        changed.
        """
        if before is None:
            self.added[row] = camera
        else:
            (self.unchanged if camera is before else self.changed)[row] = camera
        self.camera_ids.add(camera.camera_id)

    def refuse(self, row: int, name: str, reason: str, expected: str = "", other: str = "") -> None:
        """Refuse a row, even if it was recorded as added or changed.

        The arguments are the fields of a `Finding`: `name` is the invalid field, `reason` a code,
        and `other` the id of another camera.
        """
        self.added.pop(row, None)
        self.changed.pop(row, None)
        self.refused.append(Finding(row, name, reason, expected, other))

    def refuse_serial(self, row: int, other: str) -> None:
        """Refuse a row because another camera in service (id `other`) has its serial number."""
        name, expected = "description.serial", "a number that no other camera of this make has"
        self.refuse(row, name, SerialTaken.code, expected, other)

    def refuse_unseen(self, row: int) -> None:
        """Refuse a row whose id or serial number is that of a camera the caller may not see."""
        expected = "an id and a serial number that no camera has, in other regions neither"
        self.refuse(row, "", SerialTaken.code, expected)


def decide(
    rows: Iterable[Row],
    known: Iterable[Camera],
    now: datetime,
    *,
    sees: Callable[[str], bool],
    hubs: Mapping[tuple[UUID, str], HubKind] = NO_HUBS,
) -> Decision:
    """Decide for each row whether its camera is added, changed, left as it is or refused.

    `known` are the registered cameras that have the id or serial number of any of the rows. `sees`
    returns whether the caller may write in a region. `hubs` has the kinds of hubs by id and region.
    It covers every hub in service that the rows or the known cameras name. If two rows of a batch
    describe one camera, the second is refused.
    """
    known = list(known)
    ids = {camera.camera_id: camera for camera in known}
    serials = {
        camera.description.serial_key: camera for camera in known if camera.retired_at is None
    }
    decision = Decision()
    for row in rows:
        if row.errors:
            decision.refused += [
                Finding(row.number, each.field, each.code, each.description) for each in row.errors
            ]
        elif not sees(row.description.place.region):
            at = "description.place.region"
            decision.refuse(row.number, at, RegionNotYours.code, "a region of yours")
        else:
            _decide_row(decision, row, ids, serials, now, hubs)
    return decision


def completed(given: Description, known: Description) -> Description:
    """Return a row's description, completed from the `known` description of its camera.

    Files seldom contain the device key, the streams, the hub and the legal bases of functions.
    Those that the row lacks are taken from `known`, except the hub if the row disconnects the
    camera. Known verifications are always kept, because past measurements are judged by them.
    """
    # In the order in which they are known, so that a row that names one of them changes nothing.
    named = {paper.number: paper for paper in given.verifications}
    kept = [named.pop(paper.number, paper) for paper in known.verifications]
    bases = {name: basis for name, basis in known.bases.items() if name in given.functions}
    is_cut_off = known.connected and not given.connected
    return replace(
        given,
        device_key=given.device_key or known.device_key,
        streams=given.streams or known.streams,
        verifications=(*kept, *named.values()),
        bases=bases | given.bases,
        hub_id=given.hub_id or (None if is_cut_off else known.hub_id),
    )


def named_hubs(rows: Iterable[Row], known: Iterable[Camera]) -> set[tuple[UUID, str]]:
    """Return the hubs that rows or known cameras may have, as pairs of a hub id and a region.

    Each hub named by a row without errors or by a known camera is paired with each region in which
    one of these rows or cameras lies.
    """
    described = [row.description for row in rows if not row.errors]
    described += [camera.description for camera in known]
    ids = {each.hub_id for each in described if each.hub_id}
    regions = {each.place.region for each in described}
    return {(hub_id, region) for hub_id in ids for region in regions}


def _decide_row(
    decision: Decision,
    row: Row,
    ids: dict[UUID, Camera],
    serials: dict[SerialKey, Camera],
    now: datetime,
    hubs: Mapping[tuple[UUID, str], HubKind],
) -> None:
    """Decide a row that may be taken. `ids` and `serials` have all cameras as they are after the
    rows decided so far, and are updated."""
    key = row.description.serial_key
    of_serial = serials.get(key)
    found = ids.get(row.camera_id) if row.camera_id else of_serial
    if of_serial is not None and (
        found is None
        or found.camera_id != of_serial.camera_id
        or found.camera_id in decision.camera_ids
    ):
        decision.refuse_serial(row.number, str(of_serial.camera_id))
        return
    if row.version and (found is None or found.version != row.version):
        _refuse_version(decision, row, found)
        return
    kept = row.description.kept_from(found.description) if found else row.description
    if not kept.names_owner:
        decision.refuse(row.number, NO_OWNER.field, NO_OWNER.code, NO_OWNER.description)
        return
    if found is None:
        camera = Camera.register(row.camera_id or new_id(), row.description, now)
    elif found.retired_at is not None:
        decision.refuse(row.number, "camera_id", CameraRetired.code, "a camera in service")
        return
    elif found.camera_id in decision.camera_ids:
        decision.refuse(row.number, "camera_id", IdReused.code, "an id of its own")
        return
    else:
        description = completed(row.description, found.description)
        camera = found.change(description, now, from_version=found.version)
    if error := _wrong_hub(camera.description, found, hubs):
        decision.refuse(row.number, error.field, error.code, error.description)
        return
    decision.take(row.number, camera, found)
    if found is not None and serials.get(found.description.serial_key) is found:
        del serials[found.description.serial_key]
    ids[camera.camera_id] = serials[key] = camera


def _wrong_hub(
    given: Description, before: Camera | None, hubs: Mapping[tuple[UUID, str], HubKind]
) -> FieldError | None:
    """The wrong field if a camera would get a hub that may not report on it, else None."""
    if given.hub_id is None or not given.needs_hub(before.description if before else None):
        return None
    return wrong_hub(hubs.get((given.hub_id, given.place.region)), connected=given.connected)


def _refuse_version(decision: Decision, row: Row, found: Camera | None) -> None:
    """Refuse a row that is based on a version which its camera no longer has."""
    if found is None:
        decision.refuse(row.number, "camera_id", CameraNotFound.code, "a camera that there is")
    elif found.retired_at is not None:
        decision.refuse(row.number, "camera_id", CameraRetired.code, "a camera in service")
    else:
        now = f"{found.version}, the version of now"
        decision.refuse(row.number, "version", CameraChangedMeanwhile.code, now)


def outcome_of(batch: Batch, decision: Decision, duplicates: Mapping[int, UUID]) -> Outcome:
    """Return the outcome of a batch by the decision about its rows.

    `duplicates` maps a row number to the id of another camera at the place of the row's camera.
    """
    return Outcome(
        batch.number,
        batch.rows[-1].number,
        len(decision.added),
        len(decision.changed),
        len(decision.unchanged),
        tuple(sorted(decision.refused, key=lambda finding: finding.row)),
        tuple(
            Finding(row, "description.place", "PROBABLE_DUPLICATE", camera_id=str(other))
            for row, other in sorted(duplicates.items())
        ),
    )
