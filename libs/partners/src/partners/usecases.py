"""The use cases of partners; each runs in one transaction, which is audited if it writes."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Tx

from partners import storage
from partners.model import (
    Partner,
    PartnerChangedMeanwhile,
    PartnerExists,
    PartnerRevoked,
    PartnerTerms,
)


class PartnerDesk:
    """The use cases of partners: add, change, revoke and read them.

    `on_change` is awaited after the commit of each change.
    """

    def __init__(self, db: Database, on_change: Callable[[], Awaitable[None]]) -> None:
        self._db = db
        self._on_change = on_change

    async def add(
        self, request_id: UUID, name: str, terms: PartnerTerms, *, content: bytes, caller: Caller
    ) -> Partner:
        """Add a partner, or admit a revoked one again; return it. Raises PartnerExists or IdReused.

        If the request id was used before with the same `content` (the serialised request), nothing
        changes and the stored partner is returned.
        """
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, request_id, content):
                return await storage.get(tx, name)
            partner = Partner(name, terms, await tx.now(), caller.scope.actor)
            if not await storage.add(tx, partner):
                current = await storage.get_for_update(tx, name)
                if current.revoked_at is None:
                    raise PartnerExists
                partner = replace(partner, version=current.version + 1)
                await storage.save(tx, partner)
            _audit(tx, "add_partner", partner)
        await self._on_change()
        return partner

    async def change(
        self,
        request_id: UUID,
        name: str,
        terms: PartnerTerms,
        *,
        from_version: int,
        content: bytes,
        caller: Caller,
    ) -> Partner:
        """Replace the terms of a partner whose version still is `from_version`; return the partner.

        A repeated request id is handled as in `add`. Raises PartnerNotFound, PartnerRevoked,
        PartnerChangedMeanwhile or IdReused.
        """
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, request_id, content):
                return await storage.get(tx, name)
            current = await storage.get_for_update(tx, name)
            if current.revoked_at is not None:
                raise PartnerRevoked
            if current.version != from_version:
                raise PartnerChangedMeanwhile(facts={"version": str(current.version)})
            changed = await _next_version(tx, replace(current, terms=terms))
            await storage.save(tx, changed)
            _audit(tx, "change_partner", changed)
        await self._on_change()
        return changed

    async def revoke(
        self, request_id: UUID, name: str, *, reason: str, content: bytes, caller: Caller
    ) -> Partner:
        """Revoke a partner and return it; one that is revoked already is returned unchanged.

        A repeated request id is handled as in `add`. Raises PartnerNotFound or IdReused.
        """
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, request_id, content):
                return await storage.get(tx, name)
            current = await storage.get_for_update(tx, name)
            if current.revoked_at is not None:
                return current
            revoked = await _next_version(tx, current)
            revoked = replace(revoked, revoked_at=revoked.changed_at)
            await storage.save(tx, revoked)
            facts = {"version": str(revoked.version), "reason": reason}
            tx.audit("revoke_partner", f"partner:{name}", facts=facts)
        await self._on_change()
        return revoked

    async def get(self, name: str, caller: Caller) -> Partner:
        """The partner of this name. Raises PartnerNotFound."""
        async with self._db.begin(caller.scope) as tx:
            return await storage.get(tx, name)

    async def page(self, *, after: str, size: int, caller: Caller) -> list[Partner]:
        """At most `size` partners ordered by name, beginning after the name `after`."""
        async with self._db.begin(caller.scope) as tx:
            return await storage.page(tx, after=after, size=size)


async def _next_version(tx: Tx, partner: Partner) -> Partner:
    return replace(
        partner,
        version=partner.version + 1,
        changed_at=await tx.now(),
        changed_by=tx.scope.actor,
    )


def _audit(tx: Tx, action: str, partner: Partner) -> None:
    """Audit what a partner may do from now on; the contact is left out."""
    terms, quota = partner.terms, partner.terms.quota
    limits = {name: value for name, value in vars(quota).items() if value is not None}
    facts = {
        "version": str(partner.version),
        "scopes": ",".join(terms.scopes),
        "kinds": ",".join(terms.kinds),
        **({"witness_key": terms.witness_key.hex()} if terms.witness_key else {}),
        **{name: str(value) for name, value in limits.items()},
    }
    tx.audit(action, f"partner:{partner.name}", facts=facts)
