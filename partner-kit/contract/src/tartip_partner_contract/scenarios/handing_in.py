"""Handing a report in: as it was given, once, and with what is wrong told to the person."""

from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner import new_id

from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.scenarios.disturbances import lose_first_answers
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.wrong import Wrong

_WRONG_FIELDS = {"place", "occurred_at", "language"}
_LANGUAGES = {"kk", "ru", "en"}


async def handed_in(stage: Stage) -> None:
    await stage.configure()
    report = draft()
    held = await stage.handed_in(report)
    report.report_id = held.opened.report_id
    if held.opened != report:
        raise Wrong("the report did not arrive as it was given")


async def same_id_twice(stage: Stage) -> None:
    await stage.configure()
    report = draft(new_id())
    first = await stage.handed_in(report)
    if first.opened.report_id != report.report_id:
        raise Wrong("the adapter handed the report in under an id of its own, not under the given")
    await stage.handed_in(report)


async def lost_answer(stage: Stage) -> None:
    await stage.configure()
    methods = ("HandInReport", "OpenReport", "SubmitReport")
    stage.tartip.after = lose_first_answers(stage.tartip, methods)
    await stage.handed_in(draft())
    opened = {call.request.report_id for call in stage.tartip.calls_of("OpenReport")}
    opened |= {call.request.report.report_id for call in stage.tartip.calls_of("HandInReport")}
    if len(opened) != 1:
        raise Wrong(f"the report was sent again under another id: {len(opened)} ids were used")


async def refused_fields(stage: Stage) -> None:
    await stage.configure()
    report = pb.OpenReportRequest(category=pb.CATEGORY_INCIDENT, text="Шам құлады.", language="xx")
    answer = await stage.adapter.submit(report)
    if answer.status != 422:
        raise Wrong(f"a report with wrong fields was answered {answer.status}, not 422")
    # `HandInReport` names them within the report.
    told = {name.removeprefix("report.") for name in answer.wrong_fields}
    if missing := _WRONG_FIELDS - told:
        raise Wrong(f"of three wrong fields the adapter did not tell {', '.join(sorted(missing))}")
    if not answer.languages >= _LANGUAGES:
        raise Wrong("the adapter did not pass on the texts in kk, ru and en")
    if len(stage.tartip.calls) > 1:
        raise Wrong("the adapter sent a report again that was refused for its fields")


async def reply_lost(stage: Stage) -> None:
    await stage.configure()
    held = await stage.handed_in(draft())
    report_id, text = held.opened.report_id, "Екінші қабат, оң жақ."
    stage.tartip.book.ask(report_id, "Қай қабат?")
    stage.tartip.after = lose_first_answers(stage.tartip, ("ReplyToQuestion",))
    answer = await stage.adapter.reply(report_id, text)
    if not answer.is_good:
        raise Wrong(f"the adapter gave up on a reply whose answer was lost: {answer.status}")
    if held.replies != [text]:
        raise Wrong("the reply did not arrive as it was given")


SCENARIOS = (
    Scenario(
        "handed-in",
        "A report without media is handed in.",
        "Send all fields as you were given them, and answer the number of the receipt.",
        handed_in,
    ),
    Scenario(
        "same-id-twice",
        "The same report is handed in twice under one id.",
        "Use the id that you stored with the report; the same id with the same content answers the "
        "same.",
        same_id_twice,
    ),
    Scenario(
        "lost-answer",
        "The report is taken, and the connection breaks before the answer.",
        "Make the id once, before the first attempt, and repeat the same request under it.",
        lost_answer,
    ),
    Scenario(
        "refused-fields",
        "A report with three wrong fields is handed in.",
        "Read BadRequest (all wrong fields) and LocalizedMessage (kk, ru, en) from the status, "
        "pass them on, and do not repeat.",
        refused_fields,
    ),
    Scenario(
        "reply-lost",
        "The reply to a question is taken, and the connection breaks before the answer.",
        "Repeat the same reply; the same text for the same question answers the same.",
        reply_lost,
    ),
)
