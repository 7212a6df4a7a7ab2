"""Webhooks are taken as the library of Standard Webhooks signs them, and no others."""

import base64
import datetime as dt
import json
import secrets

import pytest
from standardwebhooks import Webhook as Signer
from tartip_partner import Webhook, WebhookRefused, read_webhook

BODY = json.dumps({"type": "reports.changed", "data": {"sequence": "17"}})
ID = "msg_1"
SENT = dt.datetime(2026, 11, 30, 7, 12, tzinfo=dt.UTC)
NOW = SENT.timestamp()


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def signed(*by: str, body: str = BODY, sent: dt.datetime = SENT) -> dict[str, str]:
    return {
        "Webhook-Id": ID,
        "Webhook-Timestamp": str(int(sent.timestamp())),
        "Webhook-Signature": " ".join(Signer(secret).sign(ID, sent, body) for secret in by),
    }


def test_a_signed_webhook_names_the_newest_change() -> None:
    secret = new_secret()
    assert read_webhook(BODY.encode(), signed(secret), [secret], now=NOW) == Webhook(ID, "17")


def test_each_of_two_secrets_verifies_whatever_their_order() -> None:
    old, new = new_secret(), new_secret()
    for by in ((old, new), (new, old), (old,), (new,)):
        for known in ([old, new], [new, old]):
            assert read_webhook(BODY.encode(), signed(*by), known, now=NOW).sequence == "17"
    with pytest.raises(WebhookRefused):
        read_webhook(BODY.encode(), signed(old), [new], now=NOW)


@pytest.mark.parametrize("apart", [-301, 301])
def test_one_of_another_time_is_refused(apart: int) -> None:
    secret = new_secret()
    with pytest.raises(WebhookRefused):
        read_webhook(BODY.encode(), signed(secret), [secret], now=NOW + apart)
    assert read_webhook(BODY.encode(), signed(secret), [secret], now=NOW + apart * 0.99)


@pytest.mark.parametrize(
    "changes",
    [
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v1,*** v2,AAAA v1"},
        {"Webhook-Id": "msg_2"},
        {"Webhook-Timestamp": ""},
        {"Webhook-Timestamp": "٣"},
        {"Webhook-Timestamp": str(int(NOW) + 1)},
    ],
)
def test_changed_headers_are_refused(changes: dict[str, str]) -> None:
    secret = new_secret()
    with pytest.raises(WebhookRefused):
        read_webhook(BODY.encode(), signed(secret) | changes, [secret], now=NOW)


def test_a_changed_body_is_refused_and_a_signed_one_that_says_something_else_too() -> None:
    secret = new_secret()
    with pytest.raises(WebhookRefused):
        read_webhook(BODY.replace("17", "18").encode(), signed(secret), [secret], now=NOW)
    for body in ("[]", "{}", '{"data": {"sequence": "x"}}', "x"):
        with pytest.raises(WebhookRefused):
            read_webhook(body.encode(), signed(secret, body=body), [secret], now=NOW)
