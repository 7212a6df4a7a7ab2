"""Registering, changing, retiring and reading cameras."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database, RowExists
from chassis.identity import Caller
from chassis.refusals import BadRequest, NotAllowed
from chassis.transaction import Scope, Tx
from vault.keyring import Keyring

from camera_registry.events import camera_changed, camera_registered, camera_retired
from camera_registry.keyed import keyed, owner_index
from camera_registry.model.area import Circle
from camera_registry.model.camera import Camera, CameraNotRegisteredThen, RegionNotYours
from camera_registry.model.description import Description
from camera_registry.model.history import Version, with_changes
from camera_registry.model.hubs import wrong_hub
from camera_registry.model.map_view import Cluster, MapView
from camera_registry.model.owner import ROLES_THAT_KNOW_PERSONS
from camera_registry.model.seeing import SIGHTS_MAX, Sight, Spot, sight_of
from camera_registry.storage import cameras, cell_counts, hubs, owners, record, search, seeing
from camera_registry.storage.cameras import Known
from camera_registry.storage.cell_counts import MapFilters
from camera_registry.storage.history import NEWEST, versions_before
from camera_registry.storage.search import Filters, Place


class Register:
    """The use cases of camera administrators (register, change, retire) and all reads of cameras.

    A version of a camera is valid from the database's time at the change. That time is read while
    the camera's row is locked, so later versions always have later times.
    """

    def __init__(self, db: Database, clock: Clock, *, interval: timedelta) -> None:
        """`interval` is that at which hubs report."""
        self._db = db
        self._clock = clock
        self._interval = interval

    @property
    def keyring(self) -> Keyring:
        """The keys with which the secrets in a request (IINs and passwords) are hashed."""
        return self._db.keyring

    async def register(
        self, camera_id: UUID, description: Description, *, content: bytes, caller: Caller
    ) -> Camera:
        """Register a camera and return it. A repeated call with the same id and `content` (the
        serialised description, without its secrets) returns the stored camera.

        Raises RegionNotYours, IdReused for an id used with other content, SerialTaken, or
        BadRequest if the owner is not named or the named hub may not report on the camera.
        """
        _require_region(caller.scope, description)
        description = keyed(description, self.keyring)
        before = await cameras.before_registration(self._db, caller.scope, description)
        await self._require_hub(camera_id, description, caller)
        camera = Camera.register(camera_id, description, before.now)
        facts = {"serial_of_retired": str(before.retired)} if before.retired else {}
        try:
            if await self._add(camera, content=content, facts=facts, caller=caller):
                return camera
        except RowExists as error:
            raise cameras.refusal_of(error) or error from error
        return await cameras.get_alone(self._db, caller.scope, camera_id, self._known())

    async def _add(
        self, camera: Camera, *, content: bytes, facts: dict[str, str], caller: Caller
    ) -> bool:
        """Store a new camera; False, and nothing is written, if the request was made before.

        Raises IdReused for an id used with other content, or RowExists.
        """
        camera_id, decision = camera.camera_id, Decision("register", facts)
        async with self._db.begin(caller.scope) as tx:
            if camera.description.is_all_in_its_row:
                tx.write_once(caller.key, camera_id, content)
                cameras.add(tx, camera, decision)
            else:
                # Whether a row of another table may be written is read from the camera's.
                if not await tx.once(caller.key, camera_id, content):
                    return False
                cameras.add(tx, camera, decision)
                await record.add(tx, [camera])
            tx.emit(camera_registered(camera))
        return tx.was_first

    async def _require_hub(self, camera_id: UUID, description: Description, caller: Caller) -> None:
        """Raise BadRequest if a camera that is not registered yet names a hub out of service."""
        if description.hub_id is None:
            return
        async with self._db.begin(caller.scope) as tx:
            try:
                await require_hub(tx, description)
            except BadRequest:
                # What was registered before answers the same, whatever became of the hub.
                if not await cameras.exists(tx, camera_id):
                    raise

    async def change(
        self, camera_id: UUID, description: Description, *, from_version: int, caller: Caller
    ) -> Camera:
        """Replace a camera's description, and return the camera in its new version. `from_version`
        is the version that the caller wants to replace. If the description is the same, the camera
        is unchanged.

        Raises RegionNotYours, CameraNotFound, CameraRetired, CameraChangedMeanwhile, SerialTaken,
        or BadRequest. BadRequest means that the named hub may not report on the camera, or that no
        owner is given and the stored owner is not a person.
        """
        _require_region(caller.scope, description)
        description = keyed(description, self.keyring)
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            now = await tx.now()
            changed = current.change(description, now, from_version=from_version)
            if changed is current:
                return current
            if description.needs_hub(current.description):
                await require_hub(tx, description)
            decision = Decision("change", {"version": str(changed.version)})
            await cameras.save(tx, changed, decision, held_from=now)
            tx.emit(camera_changed(changed, now))
        return changed

    async def retire(
        self, camera_id: UUID, *, reason: str, from_version: int = 0, caller: Caller
    ) -> Camera:
        """Retire a camera and return it; a camera that is already retired is returned unchanged.

        Raises CameraNotFound, or CameraChangedMeanwhile if `from_version` is neither 0 nor the
        current version.
        """
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            now = await tx.now()
            retired = current.retire(now, why=reason)
            if retired is current:
                return current
            if from_version:
                current.require_version(from_version)
            decision = Decision("retire", {"reason": reason})
            await cameras.save(tx, retired, decision, held_from=now)
            tx.emit(camera_retired(retired))
        return retired

    async def get(
        self, camera_id: UUID, *, as_of: datetime | None = None, caller: Caller
    ) -> Camera:
        """Return a camera with its present description, or with its description at the time
        `as_of`. Raises CameraNotFound, or CameraNotRegisteredThen if it was not registered at that
        time."""
        if as_of is None:
            return await cameras.get_alone(self._db, caller.scope, camera_id, self._known())
        async with self._db.begin(caller.scope) as tx:
            camera = await cameras.get(tx, camera_id, self._known())
            described = await cameras.described_at(tx, camera_id, as_of)
        if described is None:
            raise CameraNotRegisteredThen
        return replace(camera, description=described)

    async def versions(
        self, camera_id: UUID, *, before: int | None, size: int, caller: Caller
    ) -> list[tuple[Version, list[str]]]:
        """Return up to `size` versions of a camera, newest first, each with the names of the fields
        that it changed.

        The versions are older than version `before`; None returns the latest ones. Raises
        CameraNotFound.
        """
        async with self._db.begin(caller.scope) as tx:
            await cameras.get(tx, camera_id, self._known())
            first = NEWEST if before is None else before
            # One more: what changed with the last one shows beside the one before it.
            found = await versions_before(tx, camera_id, first, size=size + 1)
        return with_changes(found, size)

    async def owner_iin(self, camera: Camera, *, caller: Caller) -> str:
        """Return the IIN (personal identification number) of a camera's owner, and audit the read.

        Returns "" if the owner is not a person, if no role of the caller may know the IIN, or if
        the caller states no purpose.
        """
        if camera.description.owner_bin or not (caller.purpose and _may_know_persons(caller)):
            return ""
        async with self._db.begin(caller.scope) as tx:
            iin, index = await owners.open_iin(tx, camera.camera_id)
            if iin:
                region = camera.description.place.region
                facts = {"owner": index.hex()}
                tx.audit("read_owner", f"camera:{camera.camera_id}", region=region, facts=facts)
        return iin

    async def page(
        self, filters: Filters, *, after: Place | None, size: int, caller: Caller
    ) -> list[Camera]:
        """Return up to `size` cameras that match the filters, after the place `after` (None: from
        the first), in the order of `Filters.sorted_by` and then of ids.

        A search by an owner's IIN is audited with the IIN's blind index (keyed hash). Such a search
        raises NotAllowed if the caller has no role that may know which person owns a camera.
        """
        if filters.owner_iin and not _may_know_persons(caller):
            raise NotAllowed
        async with self._db.begin(caller.scope) as tx:
            found = await search.page(tx, filters, after=after, size=size, known=self._known())
            if filters.owner_iin:
                asked = owner_index(self.keyring, filters.owner_iin).hex()
                facts = {"key": "owner", "asked": asked, "found": str(len(found))}
                tx.audit("look_up", "cameras", region=filters.region, facts=facts)
        return found

    async def nearest(
        self, centre: Circle, filters: Filters, *, size: int, caller: Caller
    ) -> list[tuple[Camera, float]]:
        """Return the `size` cameras in service that match the filters and are nearest to a centre.

        Each camera comes with its distance in metres, the nearest first. Fewer are returned if
        there are no more.
        """
        async with self._db.begin(caller.scope) as tx:
            return await search.nearest(tx, centre, filters, size=size, known=self._known())

    async def clusters(
        self, view: MapView, filters: MapFilters, *, caller: Caller
    ) -> list[Cluster]:
        """Return clusters of the cameras in service that match the filters.

        There is one cluster for each map cell of the view. If the view asks for single cameras, and
        they are few enough, there is one cluster for each camera.
        """
        async with self._db.begin(caller.scope) as tx:
            return await cell_counts.clusters(tx, view, filters, self._known())

    async def seeing(self, spot: Spot, at: datetime | None, *, caller: Caller) -> list[Sight]:
        """Return the cameras that saw, or may have seen, a spot at the time `at` (None: now).

        The nearest come first; at most SIGHTS_MAX are returned.
        """
        async with self._db.begin(caller.scope) as tx:
            near = await seeing.cameras_near(tx, spot, at or await tx.now(), self._known())
        sights = (sight_of(camera, spot) for camera in near)
        found = sorted(
            (sight for sight in sights if sight is not None),
            key=lambda sight: (sight.distance_metres, sight.camera.camera_id),
        )
        return found[:SIGHTS_MAX]

    def _known(self) -> Known:
        return Known.at(self._clock(), self._interval)


def _require_region(scope: Scope, description: Description) -> None:
    if not scope.sees(description.place.region):
        raise RegionNotYours


async def require_hub(tx: Tx, description: Description) -> None:
    """Raise BadRequest if a description names a hub that may not report on its camera. A
    description without a hub is accepted."""
    if description.hub_id is None:
        return
    named = (description.hub_id, description.place.region)
    kind = (await hubs.in_service(tx, {named})).get(named)
    if error := wrong_hub(kind, connected=description.connected):
        raise BadRequest(fields=(error,))


def _may_know_persons(caller: Caller) -> bool:
    roles = caller.operator.roles if caller.operator else frozenset()
    return not ROLES_THAT_KNOW_PERSONS.isdisjoint(roles)
