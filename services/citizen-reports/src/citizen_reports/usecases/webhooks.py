"""Tells partners by webhook that there are changes of their reports, and makes their secrets.

One process at a time tells, under a lease. Each partner is told apart, so that one that does not
answer holds up no other.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused, Refusal
from chassis.transaction import SYSTEM
from host.leases import Lease, hold
from partners.register import PartnerRegister

from citizen_reports.metrics import webhooks_failing
from citizen_reports.model.own_ids import derived_id
from citizen_reports.model.webhooks import (
    OVERLAP,
    AllowedHosts,
    Message,
    Secret,
    Webhook,
    message_of,
    new_secret,
)
from citizen_reports.storage import changes, webhooks
from citizen_reports.storage.webhooks import WebhookSecrets

POLL_SECONDS = 0.5
log = logging.getLogger(__name__)


class Posts(Protocol):
    """Sends a webhook."""

    async def post(self, url: str, message: Message) -> str:
        """Send a webhook; return "" if the partner took it, else why not."""
        ...


@dataclass(frozen=True)
class Rotated:
    """A partner's newest secret, and until when the former secret is still used; None if there was
    none."""

    secret: str
    previous_ends_at: datetime | None


class Webhooks:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        partners: PartnerRegister,
        *,
        allowed: AllowedHosts,
        posts: Posts,
    ) -> None:
        self._db = db
        self._clock = clock
        self._partners = partners
        self._allowed = allowed
        self._posts = posts
        self._secrets = WebhookSecrets(db.keyring)
        self._telling = set[str]()

    async def rotate(self, request_id: UUID, caller: Caller) -> Rotated:
        """Make a new secret for the calling partner's webhooks; the newest before it signs for
        OVERLAP more. A repeated request id returns the same secret.

        Raises WebhookAddressMissing or WebhookHostNotAllowed, or IdReused if the secret of a
        request has ended.
        """
        self._allowed.require(self._partners.callback_url(caller.name))
        last = (await changes.last_sequences(self._db)).get(caller.name, 0)
        now = self._clock()
        secret_id = derived_id(request_id, caller.name)  # another partner may choose the same
        async with self._db.begin(caller.scope) as tx:
            is_new = await tx.once(caller.key, request_id, b"RotateWebhookSecret")
            known = await self._secrets.of_partner(tx, caller.name)
            if is_new:
                await webhooks.end_secrets(tx, caller.name, now + OVERLAP, now)
                made = Secret(secret_id, new_secret(), now)
                self._secrets.add(tx, caller.name, made)
                await webhooks.begin(tx, caller.name, last, now)
                tx.audit("rotate_webhook_secret", f"partner:{caller.name}")
                return Rotated(made.secret, now + OVERLAP if known else None)
        return _repeated(known, secret_id)

    async def run(self) -> None:
        """Tell partners of new changes until cancelled, while this process holds the lease."""
        try:
            async with hold(self._db, "webhooks") as lease, asyncio.TaskGroup() as group:
                while True:
                    await self._look(lease, group)
                    await asyncio.sleep(POLL_SECONDS)
        finally:  # another process measures now
            webhooks_failing.set(0)

    async def _look(self, lease: Lease, group: asyncio.TaskGroup) -> None:
        """Start a webhook to each partner that has new changes and no webhook on its way."""
        async with self._db.begin(SYSTEM) as tx:
            every = [one for one in await webhooks.every_webhook(tx) if self._has_address(one)]
        webhooks_failing.set(sum(one.attempts > 0 for one in every))
        last = await changes.last_sequences(self._db)
        for one in every:
            sequence = last.get(one.partner, 0)
            if one.partner not in self._telling and self._is_due(one, sequence):
                self._telling.add(one.partner)
                group.create_task(self._tell_and_save(one, sequence, lease))

    def _has_address(self, webhook: Webhook) -> bool:
        """Whether the partner gets webhooks: it may still hand in reports and has an address."""
        try:
            return bool(self._partners.callback_url(webhook.partner))
        except Refusal:
            return False

    async def _tell_and_save(self, webhook: Webhook, sequence: int, lease: Lease) -> None:
        try:
            told = await self._tell(webhook, sequence)
            async with lease.begin(SYSTEM) as tx:
                await webhooks.save(tx, told)
        finally:
            self._telling.discard(webhook.partner)

    def _is_due(self, webhook: Webhook, last: int) -> bool:
        return last > webhook.told and webhook.next_at <= self._clock()

    async def _tell(self, webhook: Webhook, sequence: int) -> Webhook:
        """Send one webhook; return the partner's new state. Failures are logged, never raised."""
        try:
            url = self._partners.callback_url(webhook.partner)
            self._allowed.require(url)
            now = self._clock()
            async with self._db.begin(SYSTEM) as tx:
                known = await self._secrets.of_partner(tx, webhook.partner)
            valid = [one.secret for one in known if one.ends_at is None or one.ends_at > now]
            webhook_id = self._secrets.webhook_id(webhook.partner, sequence)
            reason = await self._posts.post(url, message_of(webhook_id, sequence, now, valid))
        except Refusal as refusal:  # the row of the partner, or our list of hosts, has changed
            reason = refusal.reason
        if not reason:
            return webhook.delivered(sequence, self._clock())
        log.warning("webhook of %s later: %s", webhook.partner, reason)
        return webhook.failed(reason, self._clock())


def _repeated(known: list[Secret], secret_id: UUID) -> Rotated:
    found = next((one for one in known if one.secret_id == secret_id), None)
    if found is None:  # it has ended, and a newer one was made since
        raise IdReused
    previous = next((one for one in known if one.created_at < found.created_at), None)
    return Rotated(found.secret, previous.ends_at if previous else None)
