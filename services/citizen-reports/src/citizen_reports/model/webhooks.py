"""Webhooks tell a partner that there are changes of its reports, by the Standard Webhooks rules
(standardwebhooks.com): an opaque id, a moment, and a signature by each valid secret.

A webhook says no more than the number of the partner's newest change: whoever reads it on the way
learns nothing of a report. The partner reads the changes themselves over `WatchReports`, where the
number is a resume token. Webhooks come at least once, in order, and newer changes take older ones
along.
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
# How long the secret before the newest signs as well.
OVERLAP = timedelta(days=1)
DELAY_MAX = timedelta(minutes=10)
TYPE = "reports.changed"


@dataclass(frozen=True)
class Secret:
    """A secret that signs a partner's webhooks until `ends_at`; None while it is the newest."""

    secret_id: UUID
    secret: str
    created_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Webhook:
    """The state of the deliveries to a partner: changes up to the number `told` were delivered.
    `attempts` deliveries have failed since; the next one is due at `next_at`."""

    partner: str
    told: int
    next_at: datetime
    attempts: int = 0
    last_error: str = ""

    def delivered(self, sequence: int, now: datetime) -> "Webhook":
        """Return the webhook after the partner was told of its changes up to `sequence`."""
        return replace(self, told=sequence, attempts=0, next_at=now, last_error="")

    def failed(self, reason: str, now: datetime) -> "Webhook":
        """Return the webhook after a failed delivery; the next follows after 2, 4, 8 … seconds, and
        after DELAY_MAX at most."""
        delay = min(timedelta(seconds=2 ** min(self.attempts + 1, 12)), DELAY_MAX)
        return replace(self, attempts=self.attempts + 1, next_at=now + delay, last_error=reason)


@dataclass(frozen=True)
class Message:
    """The body and the headers of a webhook."""

    body: bytes
    headers: dict[str, str]


def new_secret() -> str:
    """Return a random secret, "whsec_" and Base64."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def message_of(webhook_id: str, sequence: int, now: datetime, valid: list[str]) -> Message:
    """Return the webhook that tells a partner of its changes up to `sequence`, signed with each of
    the valid secrets. `webhook_id` is the same for each delivery of it."""
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
    """The hosts that webhooks may go to, each as "host" or "host:port"; without a port, 443.

    An address with user, query of its own or another scheme than https is not allowed either: what
    a partner's row says must not make us call parts of our own network.
    """

    hosts: frozenset[str]

    @classmethod
    def of(cls, listed: str) -> "AllowedHosts":
        """Read a list of hosts with commas between."""
        named = (host.strip().casefold() for host in listed.split(",") if host.strip())
        return cls(frozenset(host if ":" in host else f"{host}:443" for host in named))

    def require(self, url: str) -> None:
        """Raise WebhookAddressMissing if `url` is "", WebhookHostNotAllowed if its host is not
        listed or it is no plain https address."""
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
