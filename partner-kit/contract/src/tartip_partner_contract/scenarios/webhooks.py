"""Webhooks: taken once and in order, and only those that Tartip has signed just now."""

from dataclasses import replace

from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.scenarios.following import acted_on, each_once
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.webhooks import SignedWebhook, new_secret, webhook
from tartip_partner_contract.wrong import Wrong

_TOO_OLD_SECONDS = 3600.0


async def webhook_twice(stage: Stage) -> None:
    secret = await _begun(stage)
    for _ in range(2):
        await _taken(stage, webhook(2, secret), "the same webhook")
        await acted_on(stage, 2)
    await each_once(stage, 2)


async def webhooks_out_of_order(stage: Stage) -> None:
    secret = await _begun(stage)
    report_id = stage.tartip.book.submitted[0].opened.report_id
    stage.tartip.book.change(report_id, pb.REPORT_STATUS_IN_WORK)
    stage.tartip.book.change(report_id, pb.REPORT_STATUS_ANSWERED)
    await _taken(stage, webhook(4, secret), "a webhook")
    await acted_on(stage, 4)
    await _taken(stage, webhook(3, secret), "a late webhook")
    await each_once(stage, 4)


async def webhook_signature(stage: Stage) -> None:
    secret = await _begun(stage)
    right = webhook(2, secret)
    unsigned = {name: value for name, value in right.headers.items() if "signature" not in name}
    await _refused(stage, webhook(2, new_secret()), "signed with a secret of somebody else")
    await _refused(stage, replace(right, body=right.body + b" "), "changed after it was signed")
    await _refused(stage, replace(right, headers=unsigned), "without a signature")
    await _taken(stage, right, "a webhook")
    await acted_on(stage, 2)


async def webhook_expired(stage: Stage) -> None:
    secret = await _begun(stage)
    old = webhook(2, secret, sent_ago=_TOO_OLD_SECONDS)
    await _refused(stage, old, "signed an hour ago")
    await _taken(stage, webhook(2, secret), "a webhook")
    await acted_on(stage, 2)


async def webhook_secrets_overlap(stage: Stage) -> None:
    old, new = new_secret(), new_secret()
    await _begun(stage, new, old)
    for by in ((old,), (old, new), (new, old), (new,)):
        await _taken(stage, webhook(2, *by), f"a webhook with {len(by)} of two valid secrets")
    await acted_on(stage, 2)


async def _begun(stage: Stage, *secrets: str) -> str:
    """Have a report handed in, which makes changes 1 and 2; returns the newest secret."""
    secrets = secrets or (new_secret(),)
    await stage.configure(webhook_secrets=secrets)
    await stage.handed_in(draft())
    return secrets[0]


async def _taken(stage: Stage, sent: SignedWebhook, what: str) -> None:
    answer = await stage.adapter.webhook(sent)
    if not 200 <= answer.status < 300:
        raise Wrong(f"{what} was answered {answer.status}")


async def _refused(stage: Stage, sent: SignedWebhook, what: str) -> None:
    answer = await stage.adapter.webhook(sent)
    if not 400 <= answer.status < 500:
        raise Wrong(f"a webhook that was {what} was answered {answer.status}")
    if await stage.adapter.changes():
        raise Wrong(f"the adapter acted on a webhook that was {what}")


SCENARIOS = (
    Scenario(
        "webhook-twice",
        "A webhook comes a second time under the same id.",
        "Answer it 2xx, and act on each change once: go on from your resume token.",
        webhook_twice,
    ),
    Scenario(
        "webhooks-out-of-order",
        "The webhook of an earlier change comes after that of a later one.",
        "Answer it 2xx, and never go back: changes that you have acted on are done.",
        webhooks_out_of_order,
    ),
    Scenario(
        "webhook-signature",
        "Webhooks come that somebody else signed, that were changed, or that have no signature.",
        "Verify the signature over the bytes that arrived, and answer 401 where it does not hold.",
        webhook_signature,
    ),
    Scenario(
        "webhook-expired",
        "A webhook comes that was signed an hour ago.",
        "Refuse webhooks whose webhook-timestamp is more than five minutes away from your clock.",
        webhook_expired,
    ),
    Scenario(
        "webhook-secrets-overlap",
        "Two secrets are valid, and webhooks are signed with one of them or with both.",
        "Try each valid secret against each signature in the header.",
        webhook_secrets_overlap,
    ),
)
