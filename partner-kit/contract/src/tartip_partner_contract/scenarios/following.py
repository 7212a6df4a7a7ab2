"""Following changes: resumed without a gap, acted on once, and ready for a later contract."""

from typing import cast

from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.wrong import Wrong

_UNKNOWN_STATUS = cast(pb.ReportStatus.ValueType, 99)
_UNKNOWN_FIELD = b"\xf2\x7e\x02hi"  # number 2030, two bytes


async def stream_cut(stage: Stage) -> None:
    await stage.configure(follow=True)
    held = await stage.handed_in(draft())
    await acted_on(stage, 2)
    began = len(stage.tartip.calls_of("WatchReports"))
    stage.tartip.relay.cut()
    stage.tartip.book.change(held.opened.report_id, pb.REPORT_STATUS_IN_WORK)
    stage.tartip.book.change(held.opened.report_id, pb.REPORT_STATUS_ANSWERED)
    await acted_on(stage, 4)
    again = [call.request for call in stage.tartip.calls_of("WatchReports")[began:]]
    if not again:
        raise Wrong("the adapter did not open the stream again")
    # The last change may not have been kept yet when the stream broke.
    if again[0].resume_token not in ("1", "2"):
        raise Wrong(
            f"after a break the stream was opened with the token {again[0].resume_token!r},"
            " although change 2 was acted on"
        )
    await each_once(stage, 4)


async def changes_twice(stage: Stage) -> None:
    await stage.configure(follow=True)
    stage.tartip.echoes = True
    held = await stage.handed_in(draft())
    for status in (pb.REPORT_STATUS_IN_WORK, pb.REPORT_STATUS_ANSWERED):
        stage.tartip.book.change(held.opened.report_id, status)
    await acted_on(stage, 4)
    await each_once(stage, 4)


async def unknown_values(stage: Stage) -> None:
    await stage.configure(follow=True)
    held = await stage.handed_in(draft())
    report_id = held.opened.report_id
    stage.tartip.book.change(report_id, _UNKNOWN_STATUS, unknown=_UNKNOWN_FIELD)
    answer = await stage.adapter.report(report_id)
    if not answer.is_good or answer.body.get("report_id") != report_id:
        raise Wrong(f"a report with a status of a later contract was answered {answer.status}")
    stage.tartip.book.change(report_id, pb.REPORT_STATUS_ANSWERED)
    await acted_on(stage, 4)


async def acted_on(stage: Stage, count: int) -> None:
    """Wait until the adapter has acted on changes 1 to `count`. Raises Wrong."""

    async def look() -> bool:
        return {str(number + 1) for number in range(count)} <= set(await _tokens(stage))

    await stage.until(look, f"the adapter did not act on changes 1 to {count}")


async def each_once(stage: Stage, count: int) -> None:
    """Raise Wrong if the adapter acted on one of changes 1 to `count` twice, or out of order."""
    tokens = await _tokens(stage)
    if twice := sorted({token for token in tokens if tokens.count(token) > 1}):
        raise Wrong(f"the adapter acted more than once on change {', '.join(twice)}")
    if tokens != sorted(tokens, key=int):
        raise Wrong("the adapter acted on an earlier change after a later one")


async def _tokens(stage: Stage) -> list[str]:
    return [str(change.get("resume_token")) for change in await stage.adapter.changes()]


SCENARIOS = (
    Scenario(
        "stream-cut",
        "The stream of changes breaks, and two changes happen meanwhile.",
        "Keep resume_token with what you did about the change, and open the stream with it again.",
        stream_cut,
    ),
    Scenario(
        "changes-twice",
        "Changes come a second time, also after later ones.",
        "Do nothing about a change whose resume_token you have acted on.",
        changes_twice,
    ),
    Scenario(
        "unknown-values",
        "A status and a field come that a later version of the contract will have.",
        "Treat a status that you do not know as 'changed', ignore fields that you do not know, and "
        "go on.",
        unknown_values,
    ),
)
