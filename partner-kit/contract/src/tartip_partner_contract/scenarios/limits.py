"""Limits: too much at once, too large, too slow."""

import asyncio

import grpc

from tartip_partner_contract.refusals import Refusal, invalid
from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.tartip import ReceivedCall
from tartip_partner_contract.wrong import Wrong

_RETRY_SECONDS = 1.5
_DEADLINE_SECONDS_MAX = 60.0
# A timer may fire a little early.
_TOLERANCE_SECONDS = 0.05
_FOREVER_SECONDS = 3600.0


async def overload(stage: Stage) -> None:
    await stage.configure()
    refused: set[str] = set()

    async def before(call: ReceivedCall) -> None:
        if call.method not in refused:
            refused.add(call.method)
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "SHARE_EXCEEDED",
                facts={"limit": "calls_per_second", "limit_value": "50"},
                retry_seconds=_RETRY_SECONDS,
            )

    stage.tartip.before = before
    await stage.handed_in(draft())
    for method in sorted(refused):
        first, again, *_ = stage.tartip.calls_of(method)
        waited = again.at - first.at
        if waited < _RETRY_SECONDS - _TOLERANCE_SECONDS:
            raise Wrong(
                f"{method} was repeated after {waited:.2f} seconds, although RetryInfo said"
                f" {_RETRY_SECONDS:g}"
            )
        if again.request != first.request:
            raise Wrong(f"{method} was repeated with another content or id")


async def too_large(stage: Stage) -> None:
    await stage.configure()

    async def before(call: ReceivedCall) -> None:
        raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED)

    stage.tartip.before = before
    answer = await stage.adapter.submit(draft())
    if answer.is_good:
        raise Wrong("the adapter answered 200 for a report that was never taken")
    if not stage.tartip.calls:
        raise Wrong("the adapter sent nothing")
    if (sent := len(stage.tartip.calls)) > 1:
        raise Wrong(f"a request that is too large was sent {sent} times")


async def deadlines(stage: Stage) -> None:
    await stage.configure()
    hung: list[ReceivedCall] = []

    async def before(call: ReceivedCall) -> None:
        if call.deadline_seconds is None:
            raise invalid("DEADLINE_REQUIRED", {})
        if not hung:
            hung.append(call)
            await asyncio.sleep(_FOREVER_SECONDS)

    stage.tartip.before = before
    answer = await stage.adapter.submit(draft())
    for call in stage.tartip.calls:
        if call.deadline_seconds is None:
            raise Wrong(f"{call.method} was called without a deadline")
        if call.deadline_seconds > _DEADLINE_SECONDS_MAX:
            raise Wrong(f"{call.method} has a deadline of {call.deadline_seconds:.0f} seconds")
    stage.the_report(answer)


SCENARIOS = (
    Scenario(
        "overload",
        "Calls are refused as SHARE_EXCEEDED with a RetryInfo of 1.5 seconds.",
        "Wait at least retry_delay of RetryInfo, then send the same request again.",
        overload,
    ),
    Scenario(
        "too-large",
        "A call is answered RESOURCE_EXHAUSTED without ErrorInfo: gRPC found it too large.",
        "Repeat RESOURCE_EXHAUSTED only where it has an ErrorInfo; without one report a bug.",
        too_large,
    ),
    Scenario(
        "deadlines",
        "The first call is never answered.",
        "Set a deadline of some seconds on every call but WatchReports, and repeat after it.",
        deadlines,
    ),
)
