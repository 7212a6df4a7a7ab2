"""Registering, changing, retiring and reading cameras."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused, NotAllowed
from chassis.transaction import Scope
from vault.keyring import Keyring

from camera_registry.events import camera_changed, camera_registered, camera_retired
from camera_registry.keyed import keyed, owner_index
from camera_registry.model.camera import Camera, CameraNotRegisteredThen, RegionNotYours
from camera_registry.model.description import Description
from camera_registry.model.owner import ROLES_THAT_KNOW_PERSONS
from camera_registry.storage import cameras, life, owners, search
from camera_registry.storage.cameras import Known
from camera_registry.storage.counts import RegionCounts, read_counts
from camera_registry.storage.search import Filters, Place


class Register:
    """The use cases of camera administrators (register, change, retire) and all reads of cameras.

    A version of a camera is valid from the database's time at the change. That time is read while
    the camera's row is locked, so later versions always have later times.
    """

    def __init__(self, db: Database, clock: Clock, *, silence: timedelta) -> None:
        self._db = db
        self._clock = clock
        # What was known at a look of the watch is known for this time: a camera that was silent for
        # up to an interval then is UNKNOWN at most one and a half intervals after its heartbeat.
        self._known_for = silence / 2

    @property
    def keyring(self) -> Keyring:
        """The keys for keyed hashes of the secrets in a request."""
        return self._db.keyring

    async def register(
        self, camera_id: UUID, description: Description, *, content: bytes, caller: Caller
    ) -> Camera:
        """Register a camera and return it. A repeated call with the same id and `content` (the
        serialised description, without its secrets) returns the stored camera.

        Raises RegionNotYours, IdReused for an id used with other content, SerialTaken, or
        BadRequest if the owner is not named.
        """
        _require_region(caller.scope, description)
        description = keyed(description, self.keyring)
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, camera_id, content):
                return await cameras.get(tx, camera_id, self._known())
            camera = Camera.register(camera_id, description, await tx.now())
            if not await cameras.add(tx, camera):
                raise IdReused
            tx.emit(camera_registered(camera))
            before = await cameras.retired_with_serial(tx, description)
            facts = {"serial_of_retired": str(before)} if before else {}
            region = description.place.region
            tx.audit("register", f"camera:{camera_id}", region=region, facts=facts)
        return camera

    async def change(
        self, camera_id: UUID, description: Description, *, from_version: int, caller: Caller
    ) -> Camera:
        """Replace the description and return the new version; the same description changes nothing.

        Raises RegionNotYours, CameraNotFound, CameraRetired, CameraChangedMeanwhile, SerialTaken,
        or BadRequest if the owner is left as it is and was no person.
        """
        _require_region(caller.scope, description)
        description = keyed(description, self.keyring)
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            changed = current.change(description, from_version=from_version)
            if changed is current:
                return current
            now = await tx.now()
            await cameras.save(tx, changed, held_from=now)
            tx.emit(camera_changed(changed, now))
            tx.audit(
                "change",
                f"camera:{camera_id}",
                region=description.place.region,
                facts={"version": str(changed.version)},
            )
        return changed

    async def retire(self, camera_id: UUID, *, reason: str, caller: Caller) -> Camera:
        """Retire a camera; one that is retired already is unchanged. Raises CameraNotFound."""
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            now = await tx.now()
            retired = current.retire(now, why=reason)
            if retired is current:
                return current
            await cameras.save(tx, retired, held_from=now)
            tx.emit(camera_retired(retired))
            region = retired.description.place.region
            tx.audit("retire", f"camera:{camera_id}", region=region, facts={"reason": reason})
        return retired

    async def get(
        self, camera_id: UUID, *, as_of: datetime | None = None, caller: Caller
    ) -> Camera:
        """Return a camera, described as it is now or was at `as_of`. Raises CameraNotFound or
        CameraNotRegisteredThen."""
        if as_of is None:
            return await cameras.get_alone(self._db, caller.scope, camera_id, self._known())
        async with self._db.begin(caller.scope) as tx:
            camera = await cameras.get(tx, camera_id, self._known())
            described = await cameras.described_at(tx, camera_id, as_of)
        if described is None:
            raise CameraNotRegisteredThen
        return replace(camera, description=described)

    async def owner_iin(self, camera: Camera, *, caller: Caller) -> str:
        """Return the IIN of a camera's owner, and audit that it was read.

        Returns "" if the owner is no person, or if the caller has no role that may know or states
        no purpose.
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
        """Return up to `size` cameras that match the filters, starting after `after`.

        None starts at the first camera. Cameras are ordered by id or, if an area is given, by H3
        cell and then id. A search by owner is audited with the blind index of the IIN. Raises
        NotAllowed for it if the caller has no role that may know which person owns a camera.
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

    async def statistics(self, region: str, *, caller: Caller) -> list[RegionCounts]:
        """Counts of cameras not retired, by region; "" selects every region the caller may see."""
        known = self._known()
        async with self._db.begin(caller.scope) as tx:
            is_watched = await life.watched(tx, known.parameters)
            return await read_counts(tx, region, is_watched=is_watched)

    def _known(self) -> Known:
        now = self._clock()
        return Known(now - self._known_for, now)


def _require_region(scope: Scope, description: Description) -> None:
    if not scope.sees(description.place.region):
        raise RegionNotYours


def _may_know_persons(caller: Caller) -> bool:
    roles = caller.operator.roles if caller.operator else frozenset()
    return not ROLES_THAT_KNOW_PERSONS.isdisjoint(roles)
