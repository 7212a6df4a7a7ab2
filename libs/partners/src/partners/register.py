"""The partners of a service in memory, read again every few seconds, for the checks of each call.

A change in any process is met by all after at most `refresh_seconds`. While the database is away,
the partners that were read last are those that may call.
"""

import asyncio
import logging
from collections.abc import Iterable

from chassis.db import Database, storage_is_away
from chassis.identity import Caller
from chassis.transaction import SYSTEM
from host.shares import Quota

from partners import storage
from partners.model import ALL_SCOPES, Partner, PartnerScope, PartnerUnknown

BY_TRIAL = "system/trial"
log = logging.getLogger(__name__)


class PartnerRegister:
    """What each partner may do now. `trial_partners` without a row get one with all scopes."""

    def __init__(
        self, db: Database, *, refresh_seconds: float, trial_partners: Iterable[str] = ()
    ) -> None:
        self._db = db
        self.refresh_seconds = refresh_seconds
        self._to_add = tuple(trial_partners)
        self._partners: dict[str, Partner] | None = None
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read the partners every `refresh_seconds`, for ever."""
        while True:
            try:
                await self.refresh()
            except Exception as error:
                if not storage_is_away(error):
                    raise
                log.warning("the partners are those of before: %s", type(error).__name__)
            await asyncio.sleep(self.refresh_seconds)

    async def refresh(self) -> None:
        """Read the partners now. Raises a database error; the partners are then as before."""
        async with self._reading, self._db.begin(SYSTEM) as tx:
            for name in self._to_add:
                partner = Partner(name, ALL_SCOPES, await tx.now(), BY_TRIAL)
                if await storage.add(tx, partner):
                    tx.audit("add_partner", f"partner:{name}", facts={"by": "trial"})
            self._partners = await storage.every_partner(tx)
        self._to_add = ()

    async def read_once(self) -> None:
        """Read the partners unless they were read before. Raises a database error."""
        if self._partners is None:
            await self.refresh()

    def require(self, name: str, scope: PartnerScope) -> None:
        """Raise PartnerUnknown, PartnerRevoked or ScopeMissing if the partner has no such scope."""
        self._known(name).require(scope)

    def require_kind(self, caller: Caller, kind: str) -> None:
        """Raise ReportKindNotAllowed if the calling partner may not hand in reports of a kind."""
        if caller.kind == "partner":
            self._known(caller.name).require_kind(kind)

    def quota_of(self, kind: str, name: str) -> Quota | None:
        """The quota of a caller (`host.shares.QuotaOf`); None for the default of its kind."""
        partner = (self._partners or {}).get(name) if kind == "partner" else None
        return partner.terms.quota.quota if partner else None

    def _known(self, name: str) -> Partner:
        partner = (self._partners or {}).get(name)
        if partner is None:
            raise PartnerUnknown
        return partner
