"""Webhooks as Tartip sends them, signed by the rules of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

_PREFIX = "whsec_"


@dataclass(frozen=True)
class SignedWebhook:
    """A body and its headers, to be sent as they are."""

    body: bytes
    headers: dict[str, str]


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def webhook(sequence: int, *by: str, sent_ago: float = 0.0) -> SignedWebhook:
    """The webhook that tells of the changes up to `sequence`, signed with each secret in `by`."""
    webhook_id, sent_at = f"msg_{sequence:020d}", str(int(time.time() - sent_ago))
    told = {"type": "reports.changed", "data": {"sequence": str(sequence)}}
    body = json.dumps(told, separators=(",", ":")).encode()
    signed = f"{webhook_id}.{sent_at}.".encode() + body
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in by),
    }
    return SignedWebhook(body, headers)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
