"""Registering, revoking and listing hubs, the control centres and edge boxes that report on
cameras."""

from dataclasses import dataclass
from uuid import UUID

from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused

from camera_registry.model.camera import RegionNotYours
from camera_registry.model.hubs import Hub, HubKind
from camera_registry.storage import hubs


@dataclass(frozen=True)
class NewHub:
    """The data with which an administrator registers a hub."""

    hub_id: UUID
    name: str
    region: str
    kind: HubKind
    public_key: bytes


class Hubs:
    """The use cases of camera administrators for the hubs that report on cameras."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, given: NewHub, *, content: bytes, caller: Caller) -> Hub:
        """Register a hub and return it. A repeated call with the same id and `content` (the
        serialised request) returns the stored hub.

        Raises RegionNotYours, IdReused for an id used with other content, or HubKeyTaken.
        """
        if not caller.scope.sees(given.region):
            raise RegionNotYours
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, given.hub_id, content):
                return await hubs.get(tx, given.hub_id)
            hub = Hub(
                given.hub_id,
                given.name,
                given.region,
                given.kind,
                given.public_key,
                await tx.now(),
            )
            if not await hubs.add(tx, hub):
                raise IdReused
            tx.audit("register_hub", f"hub:{hub.hub_id}", region=hub.region)
        return hub

    async def revoke(self, hub_id: UUID, *, reason: str, caller: Caller) -> Hub:
        """Revoke a hub and return it; a hub that is already revoked is returned unchanged. Raises
        HubNotFound."""
        async with self._db.begin(caller.scope) as tx:
            hub, is_new = await hubs.revoke(tx, hub_id, await tx.now())
            if is_new:
                facts = {"reason": reason}
                tx.audit("revoke_hub", f"hub:{hub_id}", region=hub.region, facts=facts)
        return hub

    async def page(
        self, region: str, *, is_silent: bool, after: UUID | None, size: int, caller: Caller
    ) -> list[Hub]:
        """Return up to `size` hubs of `region`, in order of their ids, after the id `after` (None:
        from the first). A region of "" means all regions that the caller may see.

        With `is_silent`, only hubs with an open incident (their reports have ceased) are returned.
        """
        async with self._db.begin(caller.scope) as tx:
            return await hubs.page(tx, region, is_silent=is_silent, after=after, size=size)
