"""Answers from templates as a small server, over the reports of `report_peer`."""

from datetime import timedelta
from typing import Any

from chassis.call_context import current_caller
from chassis.clock import system_clock, to_timestamp
from tartip.reports.v1 import answers_pb2, answers_pb2_grpc

from .peers import Asked
from .report_peer import offered

SAYS = answers_pb2.Texts(
    kk="{number} қаралды: {outcome}",
    ru="Обращение {number} рассмотрено: {outcome}",
    en="{number} was looked at: {outcome}",
)
TEMPLATE = answers_pb2.AnswerTemplate(
    template="measures", version=3, outcome="measures_taken", texts=SAYS
)
UNDO = timedelta(minutes=5)


class PeerAnswers(answers_pb2_grpc.AnswersServicer):
    """A report whose version is another than the one shown is refused, as its owner does."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def ListTemplates(self, request: Any, context: Any) -> Any:
        templates = [TEMPLATE] if self._asked.has_templates else []
        return answers_pb2.ListTemplatesResponse(templates=templates)

    async def PreviewAnswer(self, request: Any, context: Any) -> Any:
        report = self._asked.reports[request.report_id]
        text = f"{report.report.receipt.number} хабарламаңыз қаралды"
        return answers_pb2.PreviewAnswerResponse(language="kk", answer=text)

    async def AnswerFromTemplate(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._give(request.report_id, request.request_id)
        return answers_pb2.AnswerFromTemplateResponse(report=report)

    async def AnswerManyFromTemplate(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        results = []
        for one in request.reports:
            result = answers_pb2.AnswerResult(report_id=one.report_id)
            if one.version != self._asked.reports[one.report_id].report.version:
                result.reason = "REPORT_CHANGED_MEANWHILE"
                said = {"kk": "Өзгерді.", "ru": "Изменилось.", "en": "Changed."}
                result.message.CopyFrom(answers_pb2.Texts(**said))
            else:
                report = self._give(one.report_id, request.request_id)
                result.state = answers_pb2.ANSWER_STATE_WAITING
                result.leaves_at.CopyFrom(report.waiting_answer.leaves_at)
            results.append(result)
        return answers_pb2.AnswerManyFromTemplateResponse(results=results)

    async def UndoAnswers(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        results = []
        for report_id, report in self._asked.reports.items():
            if report.waiting_answer.request_id == request.request_id:
                report.ClearField("waiting_answer")
                report.report.version += 1
                undone = answers_pb2.ANSWER_STATE_UNDONE
                results.append(answers_pb2.AnswerResult(report_id=report_id, state=undone))
        return answers_pb2.UndoAnswersResponse(results=results)

    def _give(self, report_id: str, request_id: str) -> Any:
        operator = current_caller().operator
        assert operator is not None
        report = self._asked.reports[report_id]
        report.report.version += 1
        waiting = report.waiting_answer
        waiting.request_id, waiting.operator = request_id, operator.operator_id
        waiting.outcome, waiting.answer = "measures_taken", "хабарламаңыз қаралды"
        waiting.leaves_at.CopyFrom(to_timestamp(system_clock() + UNDO))
        return offered(report)
