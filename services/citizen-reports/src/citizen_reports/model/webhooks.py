"""Webhooks, which tell a partner that its reports have changed, by the Standard Webhooks rules
(standardwebhooks.com): an opaque id, a timestamp, and a signature with each valid secret.

A webhook states only the number of the partner's newest change, so that it reveals nothing of a
report. The partner reads the changes over `WatchReports`, where the number is a resume token. A
webhook is delivered at least once and in order, and stands for all changes up to its number.
"""

import json
import secrets
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from standardwebhooks import Webhook as Signer

from citizen_reports.model.refusals import WebhookAddressMissing, WebhookHostNotAllowed

SECRET_BYTES = 24
SECRET_PREFIX = "whsec_"
# How long the former secret still signs after a new one was made.
OVERLAP = timedelta(days=1)
DELAY_MAX = timedelta(minutes=10)
TYPE = "reports.changed"


@dataclass(frozen=True)
class Secret:
    """A secret that signs a partner's webhooks until `ends_at`, which is None for the newest."""

    secret_id: UUID
    secret: str
    created_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Webhook:
    """The state of the webhooks to a partner: it was told of its changes up to the number `told`.
    Since then, `attempts` deliveries have failed; the next attempt is due at `next_at`."""

    partner: str
    told: int
    next_at: datetime
    attempts: int = 0
    last_error: str = ""

    def delivered(self, sequence: int, now: datetime) -> "Webhook":
        """Return the state after the partner was told of its changes up to number `sequence`."""
        return replace(self, told=sequence, attempts=0, next_at=now, last_error="")

    def failed(self, reason: str, now: datetime) -> "Webhook":
        """Return the state after a delivery that failed for `reason`. The next attempt is due after
        2, 4, 8 … seconds, and after DELAY_MAX at most."""
        delay = min(timedelta(seconds=2 ** min(self.attempts + 1, 12)), DELAY_MAX)
        return replace(self, attempts=self.attempts + 1, next_at=now + delay, last_error=reason)


@dataclass(frozen=True)
class Message:
    """The body and the headers of a webhook."""

    body: bytes
    headers: dict[str, str]


def new_secret() -> str:
    """Return a new random secret: "whsec_" followed by SECRET_BYTES bytes in Base64."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def message_of(webhook_id: str, sequence: int, now: datetime, valid: list[str]) -> Message:
    """Return the webhook that tells a partner of its changes up to number `sequence`, signed with
    each secret of `valid`. Each attempt to deliver it must have the same `webhook_id`."""
    content = {
        "type": TYPE,
        "timestamp": now.isoformat(),
        "data": {"sequence": str(sequence)},
    }
    body = json.dumps(content, separators=(",", ":"))
    signatures = [Signer(secret).sign(webhook_id, now, body) for secret in valid]
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Message(body.encode(), headers)


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts to which webhooks may be sent, each as "host:port" in lower case.

    Addresses with a user, a password or another scheme than https are not allowed either, so that
    a partner's row cannot make this service call parts of its own network.
    """

    hosts: frozenset[str]

    @classmethod
    def of(cls, listed: str) -> "AllowedHosts":
        """Parse a comma-separated list of hosts: each "host:port", or "host" for port 443."""
        named = (host.strip().casefold() for host in listed.split(",") if host.strip())
        return cls(frozenset(host if ":" in host else f"{host}:443" for host in named))

    def require(self, url: str) -> None:
        """Raise WebhookAddressMissing if `url` is "", or WebhookHostNotAllowed if its host and port
        are not listed, it is not an https address, or it has a user or password."""
        if not url:
            raise WebhookAddressMissing
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").casefold(), parts.port or 443
        except ValueError:
            raise WebhookHostNotAllowed from None
        is_plain = parts.scheme == "https" and not parts.username and not parts.password
        if not is_plain or f"{host}:{port}" not in self.hosts:
            raise WebhookHostNotAllowed(facts={"host": host})
