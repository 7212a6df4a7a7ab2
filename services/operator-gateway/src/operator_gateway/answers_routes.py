"""Answers from templates: one report or many at once, with undo; and the templates."""

from typing import Annotated, Literal

from chassis import telemetry
from fastapi import APIRouter, Query
from pydantic import Field
from tartip.reports.v1 import answers_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.reports_routes import Category, DeskReportAnswer
from operator_gateway.schemas import (
    Answer,
    ClientMadeId,
    Id,
    Listing,
    Moment,
    Reason,
    Request,
    ShownVersion,
)

router = APIRouter(prefix="/v1", tags=["reports"])

AnswerState = Literal["waiting", "sent", "undone", "set_aside"]
TemplateName = Annotated[str, Field(max_length=64, examples=["passed-on"])]
TemplateText = Annotated[str, Field(max_length=4000)]


class Texts(Answer):
    kk: str
    ru: str
    en: str


class AnswerTemplate(Answer):
    template: str
    version: int
    categories: list[Category] = Field(description="Empty for all.")
    outcome: str
    texts: Texts | None
    withdrawn: bool
    changed_by: str
    changed_at: Moment
    reason: str


class TemplatePage(Answer):
    templates: list[AnswerTemplate]
    next_page_token: str


class TemplateAnswer(Answer):
    template: AnswerTemplate | None


class Preview(Answer):
    language: str = Field(description="As the reporter chose.")
    answer: str
    outcome: str
    template_version: int


class AnswerResult(Answer):
    report_id: str
    state: AnswerState | None = Field(description="Null where it was refused.")
    leaves_at: Moment
    reason: str = Field(description="Why it was refused; empty where it was not.")
    message: Texts | None


class AnswerResults(Answer):
    results: list[AnswerResult]


class TemplateListing(Listing):
    category: Category | None = None


class TextsRequest(Request):
    kk: TemplateText
    ru: TemplateText
    en: TemplateText


class PutTemplate(Request):
    request_id: ClientMadeId
    version: ShownVersion = 0
    categories: list[Category] = Field(default_factory=list, max_length=20)
    outcome: str = Field(max_length=40, examples=["measures_taken"])
    texts: TextsRequest
    withdrawn: bool = False
    reason: Reason


class PreviewAnswer(Request):
    template: TemplateName = ""


class AnswerFromTemplate(Request):
    request_id: ClientMadeId
    template: TemplateName = ""
    template_version: ShownVersion = 0
    version: ShownVersion = 0


class ShownReport(Request):
    report_id: str = Field(max_length=36)
    version: ShownVersion = 0


class AnswerMany(Request):
    request_id: ClientMadeId
    template: TemplateName
    template_version: ShownVersion = 0
    reports: list[ShownReport] = Field(min_length=1, max_length=50)


@router.get("/answer-templates")
async def list_templates(
    listing: Annotated[TemplateListing, Query()], context: AsOperator
) -> TemplatePage:
    """The templates of answers that can be used now; with `category`, those for such reports."""
    request = listing.message(answers_pb2.ListTemplatesRequest)
    return TemplatePage.of(await context.call(context.peers.answers.ListTemplates, request))


@router.put("/answer-templates/{template}")
async def put_template(template: Id, body: PutTemplate, context: AsOperator) -> TemplateAnswer:
    """Stores a new version of a template, or a new template."""
    request = body.message(answers_pb2.PutTemplateRequest, template=template)
    return TemplateAnswer.of(await context.call(context.peers.answers.PutTemplate, request))


@router.post("/reports/{report_id}/preview-answer")
async def preview_answer(report_id: Id, body: PreviewAnswer, context: AsOperator) -> Preview:
    """What the reporter would read, in his language. Nothing is stored."""
    request = body.message(answers_pb2.PreviewAnswerRequest, report_id=report_id)
    return Preview.of(await context.call(context.peers.answers.PreviewAnswer, request))


@router.post("/reports/{report_id}/answer-from-template")
async def answer_from_template(
    report_id: Id, body: AnswerFromTemplate, context: AsOperator
) -> DeskReportAnswer:
    """Answers a report from a template. The answer waits for some minutes, in which it can be
    undone."""
    request = body.message(answers_pb2.AnswerFromTemplateRequest, report_id=report_id)
    reply = await context.call(context.peers.answers.AnswerFromTemplate, request)
    telemetry.bind_story(reply.report.story)
    return DeskReportAnswer.of(reply)


@router.post("/answers")
async def answer_many(body: AnswerMany, context: AsOperator) -> AnswerResults:
    """Answers up to 50 reports from one template. One that is refused stops none of the others."""
    request = body.message(answers_pb2.AnswerManyFromTemplateRequest)
    answer = await context.call(context.peers.answers.AnswerManyFromTemplate, request)
    return AnswerResults.of(answer)


@router.post("/answers/{request_id}/undo")
async def undo_answers(request_id: Id, context: AsOperator) -> AnswerResults:
    """Undoes the answers that the operator gave by one request, as far as they still wait."""
    request = answers_pb2.UndoAnswersRequest(request_id=request_id)
    return AnswerResults.of(await context.call(context.peers.answers.UndoAnswers, request))
