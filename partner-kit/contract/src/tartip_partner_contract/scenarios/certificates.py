"""The adapter's own certificate: its end is told, and a new one is used."""

import datetime as dt

from tartip_partner import new_id

from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.wrong import Wrong

_ENDED_AGO = dt.timedelta(minutes=1)
_CONNECTIONS_MAX = 20
_REASON = "CERTIFICATE_EXPIRED"


async def certificate_expired(stage: Stage) -> None:
    ended = stage.authority.partner(ends_in=-_ENDED_AGO)
    await stage.adapter.configure(stage.setting, ended)
    report = draft(new_id())
    answer = await stage.adapter.submit(report)
    opened = stage.tartip.relay.connections
    if answer.is_good:
        raise Wrong("the adapter answered 200, although its certificate has expired")
    if opened > _CONNECTIONS_MAX:
        raise Wrong(f"the adapter opened {opened} connections with an expired certificate")
    if answer.body.get("reason") != _REASON:
        raise Wrong(f"the adapter did not say {_REASON}, but {answer.body.get('reason')}")
    await stage.adapter.configure(stage.setting, stage.authority.partner(), reset=False)
    await stage.handed_in(report)


SCENARIOS = (
    Scenario(
        "certificate-expired",
        "The adapter's certificate ended a minute ago; then it gets a new one.",
        "Compare the end of your certificate before you connect, tell it by name instead of trying "
        "again, and use a new certificate without a restart.",
        certificate_expired,
    ),
)
