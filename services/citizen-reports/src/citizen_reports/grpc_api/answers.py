"""`Answers`, the gRPC service for answers from templates."""

from uuid import UUID

import grpc
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import read_id, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, checks
from tartip.reports.v1 import answers_pb2 as pb
from tartip.reports.v1 import answers_pb2_grpc

from citizen_reports.events import CATEGORIES
from citizen_reports.grpc_api.apps import report_id_of
from citizen_reports.grpc_api.desk import desk_report_to_proto
from citizen_reports.grpc_api.filters import CATEGORY_OF
from citizen_reports.grpc_api.personnel import asked_of
from citizen_reports.model.actions import DESK_ROLES
from citizen_reports.model.categories import Category
from citizen_reports.model.templates import NAME, TEMPLATE_TEXT_MAX, Template
from citizen_reports.model.waiting_answers import AnswerState
from citizen_reports.model.words import cleaned
from citizen_reports.usecases.answer_templates import Templates
from citizen_reports.usecases.desk import Shown, require_reason
from citizen_reports.usecases.waiting_answers import Answers, Result, ShownTemplate

Context = grpc.aio.ServicerContext
REPORTS_MAX = 50
DESK = tuple(sorted(DESK_ROLES))
STATES = {one: pb.AnswerState.Value(f"ANSWER_STATE_{one.name}") for one in AnswerState}
_SERVICE = "/tartip.reports.v1.Answers/"
POLICY: Policy = {
    f"{_SERVICE}ListTemplates": allow(
        roles=(*DESK, "auditor", "personnel_administrator"), services=("tartip-cli",)
    ),
    f"{_SERVICE}PutTemplate": allow(roles=("personnel_administrator",), services=("tartip-cli",)),
    f"{_SERVICE}PreviewAnswer": allow(roles=DESK, purpose=True),
    f"{_SERVICE}AnswerFromTemplate": allow(roles=DESK, purpose=True),
    f"{_SERVICE}AnswerManyFromTemplate": allow(roles=DESK, purpose=True),
    f"{_SERVICE}UndoAnswers": allow(roles=DESK),
}


class AnswersApi(answers_pb2_grpc.AnswersServicer):
    def __init__(self, answers: Answers, templates: Templates, pages: Pages) -> None:
        self._answers = answers
        self._templates = templates
        self._pages = pages

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: Context
    ) -> pb.ListTemplatesResponse:
        page = self._pages.read(request, current_caller())
        category = CATEGORY_OF.get(request.category)
        with checks() as check:
            known = category is not None or not request.category
            check.that(known, "category", "a kind of reports", code="CATEGORY_UNKNOWN")
        found = await self._templates.page(category, page.spec, current_caller())
        return pb.ListTemplatesResponse(
            templates=map(_template_to_proto, found),
            next_page_token=page.next_token([(template.name,) for template in found]),
        )

    async def PutTemplate(
        self, request: pb.PutTemplateRequest, context: Context
    ) -> pb.PutTemplateResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            template = _read_template(check, request)
        stored = await self._templates.put(template, asked_of(request_id, request))
        return pb.PutTemplateResponse(template=_template_to_proto(stored))

    async def PreviewAnswer(
        self, request: pb.PreviewAnswerRequest, context: Context
    ) -> pb.PreviewAnswerResponse:
        report_id = report_id_of(request.report_id)
        preview = await self._answers.preview(report_id, request.template, current_caller())
        return pb.PreviewAnswerResponse(
            language=preview.language,
            answer=preview.text,
            outcome=preview.template.outcome,
            template_version=preview.template.version,
        )

    async def AnswerFromTemplate(
        self, request: pb.AnswerFromTemplateRequest, context: Context
    ) -> pb.AnswerFromTemplateResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
        view = await self._answers.answer(
            Shown(report_id_of(request.report_id), request.version),
            ShownTemplate(request.template, request.template_version),
            asked_of(request_id, request),
        )
        return pb.AnswerFromTemplateResponse(report=desk_report_to_proto(view))

    async def AnswerManyFromTemplate(
        self, request: pb.AnswerManyFromTemplateRequest, context: Context
    ) -> pb.AnswerManyFromTemplateResponse:
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            shown = _read_reports(check, request)
        results = await self._answers.answer_many(
            shown,
            ShownTemplate(request.template, request.template_version),
            asked_of(request_id, request),
        )
        return pb.AnswerManyFromTemplateResponse(results=map(_result_to_proto, results))

    async def UndoAnswers(
        self, request: pb.UndoAnswersRequest, context: Context
    ) -> pb.UndoAnswersResponse:
        with checks() as check:
            request_id = read_id(check, "request_id", request.request_id)
        results = await self._answers.undo(request_id, current_caller())
        return pb.UndoAnswersResponse(results=map(_result_to_proto, results))


def _read_reports(check: Checks, request: pb.AnswerManyFromTemplateRequest) -> list[Shown]:
    count = len(request.reports)
    check.that(0 < count <= REPORTS_MAX, "reports", f"1 to {REPORTS_MAX} reports")
    shown, named = list[Shown](), set[UUID]()
    for number, one in enumerate(request.reports[:REPORTS_MAX]):
        report_id = parse_id(one.report_id)
        if report_id is None or report_id in named:
            check.wrong(f"reports[{number}].report_id", "the id of a report, each once")
        else:
            named.add(report_id)
            shown.append(Shown(report_id, one.version))
    return shown


def _read_template(check: Checks, request: pb.PutTemplateRequest) -> Template:
    is_name = NAME.fullmatch(request.template) is not None
    check.that(is_name, "template", "1 to 64 lower-case letters, digits and hyphens")
    known = all(one in CATEGORY_OF for one in request.categories)
    check.that(known, "categories", "kinds of reports", code="CATEGORY_UNKNOWN")
    require_reason(check, request.reason, "why it is changed")
    texts = {"kk": request.texts.kk, "ru": request.texts.ru, "en": request.texts.en}
    return Template(
        name=request.template,
        version=request.version,
        categories=frozenset(CATEGORY_OF[one] for one in request.categories if one in CATEGORY_OF),
        outcome=request.outcome,
        texts={
            language: cleaned(text, longest=TEMPLATE_TEXT_MAX) for language, text in texts.items()
        },
        is_withdrawn=request.withdrawn,
        reason=request.reason.strip(),
    )


def _template_to_proto(template: Template) -> pb.AnswerTemplate:
    return pb.AnswerTemplate(
        template=template.name,
        version=template.version,
        categories=[CATEGORIES[one] for one in Category if one in template.categories],
        outcome=template.outcome,
        texts=pb.Texts(**template.texts),
        withdrawn=template.is_withdrawn,
        changed_by=template.changed_by,
        changed_at=to_timestamp(template.changed_at),
        reason=template.reason,
    )


def _result_to_proto(result: Result) -> pb.AnswerResult:
    told = pb.AnswerResult(report_id=str(result.report_id))
    if result.refusal is not None:
        said = result.refusal.message
        told.reason = result.refusal.reason
        told.message.CopyFrom(pb.Texts(kk=said.kk, ru=said.ru, en=said.en))
    if result.answer is not None and result.state is not None:
        told.state = STATES[result.state]
        told.leaves_at.FromDatetime(result.answer.leaves_at)
    return told
