"""Stores the secrets that sign partners' webhooks, encrypted, and the state of the deliveries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey, Keyring

from citizen_reports.model.webhooks import Secret, Webhook
from citizen_reports.storage.tables import webhook_secrets, webhooks

KEY_CLASS = "webhooks"


class WebhookSecrets:
    """The stored secrets of partners' webhooks, encrypted with the service's own key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def of_partner(self, tx: Tx, partner: str) -> list[Secret]:
        """Return all stored secrets of a partner, the newest first, ended ones included."""
        query = select(webhook_secrets).where(webhook_secrets.c.partner == partner)
        rows = await tx.execute(query.order_by(webhook_secrets.c.created_at.desc()))
        return [self._to_secret(row) for row in rows]

    def add(self, tx: Tx, partner: str, secret: Secret) -> None:
        sealed = self._key.seal(secret.secret, _place(secret.secret_id))
        ids = {"secret_id": secret.secret_id, "partner": partner}
        tx.add(webhook_secrets, {**ids, "sealed": sealed, "created_at": secret.created_at})

    def webhook_id(self, partner: str, sequence: int) -> str:
        """Return the id of the webhook about a partner's changes up to number `sequence`. All of
        its deliveries have the same id, from which nobody else can infer partner or number."""
        code = self._keyring.mac(KEY_CLASS, f"{partner}\0{sequence}".encode())
        return f"msg_{code.hex()[:32]}"

    @property
    def _key(self) -> DataKey:
        return self._keyring.own_key(KEY_CLASS)

    def _to_secret(self, row: Any) -> Secret:
        secret = self._key.open_text(row.sealed, _place(row.secret_id))
        return Secret(row.secret_id, secret, row.created_at, row.ends_at)


async def end_secrets(tx: Tx, partner: str, ends_at: datetime, now: datetime) -> None:
    """Delete a partner's secrets that have ended by `now`, and let the newest end at `ends_at`."""
    of_partner = webhook_secrets.c.partner == partner
    await tx.execute(delete(webhook_secrets).where(of_partner, webhook_secrets.c.ends_at <= now))
    await tx.execute(
        update(webhook_secrets)
        .where(of_partner, webhook_secrets.c.ends_at.is_(None))
        .values(ends_at=ends_at)
    )


async def begin(tx: Tx, partner: str, told: int, now: datetime) -> None:
    """Start webhooks to a partner, about changes with numbers above `told`; the first is due `now`.
    If the partner has webhooks already, change nothing."""
    row = {"partner": partner, "told": told, "attempts": 0, "next_at": now, "last_error": ""}
    await tx.execute(insert(webhooks).values(row).on_conflict_do_nothing())


async def every_webhook(tx: Tx) -> list[Webhook]:
    return [
        Webhook(row.partner, row.told, row.next_at, row.attempts, row.last_error)
        for row in await tx.execute(select(webhooks))
    ]


async def save(tx: Tx, webhook: Webhook) -> None:
    values = {
        "told": webhook.told,
        "attempts": webhook.attempts,
        "next_at": webhook.next_at,
        "last_error": webhook.last_error,
    }
    await tx.execute(update(webhooks).where(webhooks.c.partner == webhook.partner).values(values))


def _place(secret_id: UUID) -> str:
    return f"webhook_secrets.sealed:{secret_id}"
