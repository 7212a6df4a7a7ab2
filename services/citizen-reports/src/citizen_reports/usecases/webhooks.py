"""Sends webhooks to partners that have new changes of reports, and makes their signing secrets.

Only one process at a time, the holder of a lease, sends webhooks. Each is sent in its own task, so
that a partner that does not answer delays no other.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, storage_is_away
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
    """The HTTP client that sends webhooks."""

    async def post(self, url: str, message: Message) -> str:
        """Send a webhook to `url`; return "" if the partner accepted it, else the reason."""
        ...


@dataclass(frozen=True)
class Rotated:
    """The secret that a request made, and when the secret before it ends; None if there was no
    earlier one."""

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
        """Make a new secret for the calling partner's webhooks; the former secret also signs for
        the time OVERLAP. A repeated request id returns the same secret.

        Raises WebhookAddressMissing or WebhookHostNotAllowed, or IdReused if the secret of a
        repeated request was deleted after its end.
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
        """Send webhooks until cancelled, while this process holds the lease."""
        try:
            async with hold(self._db, "webhooks") as lease, asyncio.TaskGroup() as group:
                while True:
                    await self._look(lease, group)
                    await asyncio.sleep(POLL_SECONDS)
        finally:  # the next holder of the lease sets the metric
            webhooks_failing.set(0)

    async def _look(self, lease: Lease, group: asyncio.TaskGroup) -> None:
        """Start a webhook to each partner with new changes, unless one is under way or not due."""
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
        """Whether the partner has an address for webhooks, and may still hand in reports."""
        try:
            return bool(self._partners.callback_url(webhook.partner))
        except Refusal:
            return False

    async def _tell_and_save(self, webhook: Webhook, sequence: int, lease: Lease) -> None:
        """Send one webhook and store the result. If the database is unavailable, the webhook is
        sent again later under the same id, and those of other partners go on."""
        try:
            told = await self._tell(webhook, sequence)
            async with lease.begin(SYSTEM) as tx:
                await webhooks.save(tx, told)
        except Exception as error:
            if not storage_is_away(error):
                raise
            log.warning("webhook of %s later: %s", webhook.partner, type(error).__name__)
        finally:
            self._telling.discard(webhook.partner)

    def _is_due(self, webhook: Webhook, last: int) -> bool:
        return last > webhook.told and webhook.next_at <= self._clock()

    async def _tell(self, webhook: Webhook, sequence: int) -> Webhook:
        """Send one webhook; return the partner's new state. A failed delivery is only logged."""
        try:
            url = self._partners.callback_url(webhook.partner)
            self._allowed.require(url)
            now = self._clock()
            async with self._db.begin(SYSTEM) as tx:
                known = await self._secrets.of_partner(tx, webhook.partner)
            valid = [one.secret for one in known if one.ends_at is None or one.ends_at > now]
            webhook_id = self._secrets.webhook_id(webhook.partner, sequence)
            reason = await self._posts.post(url, message_of(webhook_id, sequence, now, valid))
        except Refusal as refusal:  # the partner's terms, or the allowed hosts, have changed
            reason = refusal.reason
        if not reason:
            return webhook.delivered(sequence, self._clock())
        log.warning("webhook of %s later: %s", webhook.partner, reason)
        return webhook.failed(reason, self._clock())


def _repeated(known: list[Secret], secret_id: UUID) -> Rotated:
    found = next((one for one in known if one.secret_id == secret_id), None)
    if found is None:  # deleted when a later secret was made after its end
        raise IdReused
    previous = next((one for one in known if one.created_at < found.created_at), None)
    return Rotated(found.secret, previous.ends_at if previous else None)
