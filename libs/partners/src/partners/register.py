"""The partners of a service, held in memory so that each call can be checked.

The partners are read again every `refresh_seconds`, so that a change takes effect in every process
within this time. While the database is unreachable, the partners that were read last remain valid.
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
    """The partners of a service as last read from the database, with their rights.

    The first reading also adds each of `trial_partners` that has no row yet, with all scopes.
    """

    def __init__(
        self, db: Database, *, refresh_seconds: float, trial_partners: Iterable[str] = ()
    ) -> None:
        self._db = db
        self.refresh_seconds = refresh_seconds
        self._to_add = tuple(trial_partners)
        self._partners: dict[str, Partner] | None = None
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read the partners every `refresh_seconds`, without end.

        While the database is unreachable, each failure is logged. Other errors are raised.
        """
        while True:
            try:
                await self.refresh()
            except Exception as error:
                if not storage_is_away(error):
                    raise
                log.warning("the partners are those of before: %s", type(error).__name__)
            await asyncio.sleep(self.refresh_seconds)

    async def refresh(self) -> None:
        """Read the partners from the database now.

        Raises a database error if this fails; the partners that were read last remain valid.
        """
        async with self._reading, self._db.begin(SYSTEM) as tx:
            for name in self._to_add:
                partner = Partner(name, ALL_SCOPES, await tx.now(), BY_TRIAL)
                if await storage.add(tx, partner):
                    tx.audit("add_partner", f"partner:{name}", facts={"by": "trial"})
            self._partners = await storage.every_partner(tx)
        self._to_add = ()

    async def read_once(self) -> None:
        """Read the partners unless they have been read already. May raise a database error."""
        if self._partners is None:
            await self.refresh()

    def require(self, name: str, scope: PartnerScope) -> None:
        """Check that the named partner may use a scope.

        Raises PartnerUnknown, PartnerRevoked or ScopeMissing.
        """
        self._known(name).require(scope)

    def require_kind(self, caller: Caller, kind: str) -> None:
        """Check that a caller may hand in reports of a kind; only partners are restricted.

        Raises ReportKindNotAllowed or PartnerUnknown.
        """
        if caller.kind == "partner":
            self._known(caller.name).require_kind(kind)

    def quota_of(self, kind: str, name: str) -> Quota | None:
        """Return the quota of a caller, or None if the default for callers of its `kind` applies.

        This is the function that `host.shares` needs (`QuotaOf`).
        """
        partner = (self._partners or {}).get(name) if kind == "partner" else None
        return partner.terms.quota.quota if partner else None

    def callback_url(self, name: str) -> str:
        """Return the address of a partner's webhooks, "" if it has none. Raises PartnerUnknown,
        PartnerRevoked or ScopeMissing unless the partner may hand in reports."""
        partner = self._known(name)
        partner.require(PartnerScope.REPORTS)
        return partner.terms.callback_url

    def witness_key(self, name: str) -> bytes:
        """Return the public key of a witness (see `PartnerTerms`); b"" for any other partner.
        Raises PartnerUnknown."""
        return self._known(name).terms.witness_key

    def _known(self, name: str) -> Partner:
        partner = (self._partners or {}).get(name)
        if partner is None:
            raise PartnerUnknown
        return partner
