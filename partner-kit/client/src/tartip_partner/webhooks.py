"""Checks that a webhook came from Tartip, by the rules of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tartip_partner.errors import TartipError

# A webhook that is older, or so much ahead, is refused: somebody may have kept it.
TOLERANCE_SECONDS = 300.0
_PREFIX = "whsec_"
_VERSION = "v1"


@dataclass(frozen=True)
class Webhook:
    """There are changes up to the number `sequence`, which is a resume token of `watch`.

    `webhook_id` is the same whenever the webhook is sent again.
    """

    webhook_id: str
    sequence: str


class WebhookRefused(TartipError):
    """The webhook is not signed by one of the secrets, is too old, or says something unknown.

    Answer it with 401, and do nothing about it.
    """


def read_webhook(
    body: bytes, headers: Mapping[str, str], secrets: Iterable[str], *, now: float | None = None
) -> Webhook:
    """Return what a webhook says, once its signature is verified. Raises WebhookRefused.

    `body` is what arrived, byte for byte. `secrets` are those that `rotate_webhook_secret` returned
    and that are still valid: two for a day after each rotation. `now` is the time in seconds of the
    epoch; without it, that of this machine.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    webhook_id, sent_at = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    _check_time(sent_at, time.time() if now is None else now)
    signed = f"{webhook_id}.{sent_at}.".encode() + body
    given = [_signature(one) for one in lower.get("webhook-signature", "").split()]
    right = [hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in given for other in right):
        raise WebhookRefused("no valid secret has signed it")
    try:
        return Webhook(webhook_id, str(int(json.loads(body)["data"]["sequence"])))
    except (ValueError, KeyError, TypeError) as error:
        raise WebhookRefused("its body is not known") from error


def _check_time(sent_at: str, now: float) -> None:
    if not (sent_at.isascii() and sent_at.isdigit()):
        raise WebhookRefused("it has no time")
    if abs(int(sent_at) - now) > TOLERANCE_SECONDS:
        raise WebhookRefused("it was signed too long ago, or in the future")


def _signature(written: str) -> bytes:
    """The bytes of a signature of our version; b"", which no signature is, for anything else."""
    version, _, encoded = written.partition(",")
    try:
        return base64.b64decode(encoded, validate=True) if version == _VERSION else b""
    except binascii.Error:
        return b""


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
