"""The JSON of every noun is the contract's own, field by field."""

import typing
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from operator_gateway import (
    answers_routes,
    audit_routes,
    camera_imports_routes,
    camera_map_routes,
    camera_schemas,
    cameras_routes,
    complaints_routes,
    fines_routes,
    reports_routes,
    routing_routes,
    statistics_routes,
    triage_routes,
    violations_routes,
)
from operator_gateway.mapping import short_names, to_message, to_plain
from operator_gateway.schemas import Answer
from pydantic import BaseModel, ValidationError
from tartip.audit.v1 import audit_pb2
from tartip.cameras.v1 import cameras_pb2
from tartip.fines.v1 import fines_pb2
from tartip.reports.v1 import answers_pb2, personnel_pb2, reports_pb2, routing_pb2
from tartip.violations.v1 import violations_pb2

ANSWERS: list[tuple[type[Answer], type[Message]]] = [
    (camera_schemas.CameraAnswer, cameras_pb2.GetCameraResponse),
    (camera_schemas.CameraPage, cameras_pb2.ListCamerasResponse),
    (camera_schemas.NearestCameras, cameras_pb2.FindNearestCamerasResponse),
    (camera_imports_routes.ImportOutcome, cameras_pb2.ImportCamerasResponse),
    (camera_schemas.CameraVersions, cameras_pb2.ListCameraVersionsResponse),
    (camera_map_routes.MapClusters, cameras_pb2.CountCamerasOnMapResponse),
    (violations_routes.ViolationAnswer, violations_pb2.GetViolationResponse),
    (violations_routes.ViolationPage, violations_pb2.ListViolationsResponse),
    (violations_routes.Prepared, violations_pb2.PrepareDecisionResponse),
    (fines_routes.FineAnswer, fines_pb2.GetFineResponse),
    (fines_routes.FinePage, fines_pb2.ListFinesResponse),
    (fines_routes.Entries, fines_pb2.ListEntriesResponse),
    (reports_routes.DeskReportAnswer, reports_pb2.ReportDeskGetReportResponse),
    (reports_routes.DeskReportPage, reports_pb2.ReportDeskListReportsResponse),
    (reports_routes.DeskReportPage, reports_pb2.SearchReportsResponse),
    (complaints_routes.RaisedReport, reports_pb2.RaiseReportResponse),
    (complaints_routes.Candidates, personnel_pb2.ListCandidatesResponse),
    (complaints_routes.SettledSubject, personnel_pb2.NameSubjectResponse),
    (reports_routes.Board, reports_pb2.GetBoardResponse),
    (reports_routes.Figures, reports_pb2.GetUnitFiguresResponse),
    (answers_routes.TemplatePage, answers_pb2.ListTemplatesResponse),
    (answers_routes.TemplateAnswer, answers_pb2.PutTemplateResponse),
    (answers_routes.Preview, answers_pb2.PreviewAnswerResponse),
    (answers_routes.AnswerResults, answers_pb2.AnswerManyFromTemplateResponse),
    (routing_routes.RoutingAnswer, routing_pb2.GetRoutingResponse),
    (routing_routes.RoutingPage, routing_pb2.ListRoutingsResponse),
    (routing_routes.DryRun, routing_pb2.DryRunRoutingResponse),
    (routing_routes.Replay, routing_pb2.ReplayRoutingResponse),
    (statistics_routes.CameraStatistics, cameras_pb2.GetStatisticsResponse),
    (statistics_routes.RevenueFigures, fines_pb2.GetRevenueResponse),
    (audit_routes.HeadAnswer, audit_pb2.GetHeadResponse),
    (audit_routes.AuditPage, audit_pb2.ListEntriesResponse),
    (audit_routes.Proof, audit_pb2.ProveInclusionResponse),
    (audit_routes.AttemptsPage, audit_pb2.ListAttemptsResponse),
]
# Fields that are only given, or answered to services or to apps alone.
NEVER_ANSWERED = {
    *("CameraStream.password", "AuditEntry.alias", "AuditEntry.record_kinds"),
    *("Report.actions", "Report.dispute_until", "Report.media"),
}
REQUESTS: list[tuple[type[BaseModel], type[Message]]] = [
    (camera_schemas.RegisterCamera, cameras_pb2.RegisterCameraRequest),
    (camera_schemas.ChangeCamera, cameras_pb2.ChangeCameraRequest),
    (camera_schemas.RetireCamera, cameras_pb2.RetireCameraRequest),
    (camera_imports_routes.ImportCameras, cameras_pb2.ImportCamerasRequest),
    (camera_imports_routes.ImportedCameraRequest, cameras_pb2.ImportedCamera),
    (camera_schemas.MergeCameras, cameras_pb2.MergeCamerasRequest),
    (violations_routes.PrepareDecision, violations_pb2.PrepareDecisionRequest),
    (violations_routes.SignedDecision, violations_pb2.ConfirmViolationRequest),
    (violations_routes.AnnulViolation, violations_pb2.AnnulViolationRequest),
    (fines_routes.CancelFine, fines_pb2.CancelFineRequest),
    (reports_routes.TakeReport, reports_pb2.TakeReportRequest),
    (reports_routes.RouteReport, reports_pb2.RouteReportRequest),
    (reports_routes.AskReporter, reports_pb2.AskReporterRequest),
    (reports_routes.AnswerReport, reports_pb2.AnswerReportRequest),
    (reports_routes.AcceptTrafficEvidence, reports_pb2.AcceptTrafficEvidenceRequest),
    (complaints_routes.RaiseReport, reports_pb2.RaiseReportRequest),
    (complaints_routes.NameSubject, personnel_pb2.NameSubjectRequest),
    (complaints_routes.SubjectRequest, personnel_pb2.Subject),
    (reports_routes.RecordArrival, reports_pb2.RecordArrivalRequest),
    (reports_routes.ExtendDeadline, reports_pb2.ExtendDeadlineRequest),
    (triage_routes.MergeReport, reports_pb2.MergeReportRequest),
    (triage_routes.UnmergeReport, reports_pb2.UnmergeReportRequest),
    (triage_routes.ConfirmUrgency, reports_pb2.ConfirmUrgencyRequest),
    (triage_routes.DeclineUrgency, reports_pb2.DeclineUrgencyRequest),
    (answers_routes.PutTemplate, answers_pb2.PutTemplateRequest),
    (answers_routes.TextsRequest, answers_pb2.Texts),
    (answers_routes.PreviewAnswer, answers_pb2.PreviewAnswerRequest),
    (answers_routes.AnswerFromTemplate, answers_pb2.AnswerFromTemplateRequest),
    (answers_routes.AnswerMany, answers_pb2.AnswerManyFromTemplateRequest),
    (answers_routes.ShownReport, answers_pb2.ShownReport),
    (reports_routes.BoardQuery, reports_pb2.GetBoardRequest),
    (routing_routes.DraftRouting, routing_pb2.DraftRoutingRequest),
    (routing_routes.RoutingRuleRequest, routing_pb2.RoutingRule),
    (routing_routes.DryRunRouting, routing_pb2.DryRunRoutingRequest),
    (routing_routes.RoutingQuery, routing_pb2.GetRoutingRequest),
    (reports_routes.FiguresQuery, reports_pb2.GetUnitFiguresRequest),
]


@pytest.mark.parametrize(("answer", "message"), ANSWERS)
def test_every_field_of_an_answer_arrives_with_its_own_value(
    answer: type[Answer], message: type[Message]
) -> None:
    filled = filled_distinctly(message)
    told = answer.of(filled).model_dump()
    assert told == _answered(to_plain(filled))
    leaves = list(leaves_of(told))
    assert leaves
    assert None not in leaves
    texts = [leaf for leaf in leaves if not isinstance(leaf, bool)]
    assert len(texts) - len(set(texts)) <= 8  # enums with few values repeat, nothing else may


@pytest.mark.parametrize(("answer", "message"), ANSWERS)
def test_an_empty_message_is_an_answer_too(answer: type[Answer], message: type[Message]) -> None:
    """The gateway maps every message, whatever its owner leaves out."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and not field.is_repeated:
            made = message()
            getattr(made, field.name).SetInParent()
            answer.of(made)
            return
    answer.of(message())


@pytest.mark.parametrize(("request_model", "message"), REQUESTS)
def test_every_field_of_a_body_stands_in_the_contract(
    request_model: type[BaseModel], message: type[Message]
) -> None:
    in_path = {"camera_id", "violation_id", "report_id", "number"}
    if message is answers_pb2.PutTemplateRequest:
        in_path = {"template"}
    elif message is answers_pb2.ShownReport:
        in_path = set()
    known = {field.name for field in message.DESCRIPTOR.fields}
    assert set(request_model.model_fields) - known == set()
    assert known - set(request_model.model_fields) - in_path == set()


def test_a_description_goes_there_and_back() -> None:
    filled = filled_distinctly(cameras_pb2.CameraDescription)
    plain = camera_schemas.CameraDescription.of(filled).model_dump(mode="json")
    plain["place"] |= {"latitude": 1.5, "longitude": 2.5, "region": "KZ-75", "kato": "751110000"}
    plain |= {"azimuth_degrees": 3.5, "owner_bin": "123456789012", "dedupe_seconds": 7}
    body = camera_schemas.CameraDescriptionRequest.model_validate(plain)
    again = to_message(body.model_dump(), cameras_pb2.CameraDescription)
    assert camera_schemas.CameraDescription.of(again).model_dump(mode="json") == plain


def test_a_value_newer_than_the_gateway_is_left_unsaid() -> None:
    violation = violations_pb2.Violation(state=99)  # type: ignore[arg-type]
    assert to_plain(violation)["state"] is None


def test_a_measured_zero_is_not_an_absent_one() -> None:
    assert to_plain(violations_pb2.Violation(over_kmh=0.0))["over_kmh"] == 0.0
    assert to_plain(violations_pb2.Violation())["over_kmh"] is None


def test_an_area_is_a_circle() -> None:
    listing = cameras_routes.CameraListing(
        latitude=43.2, longitude=76.9, radius_metres=500, page_size=7, page_token="t"
    )
    request = listing.request()
    assert (request.area.latitude, request.area.radius_metres) == (43.2, 500)
    assert (request.page.size, request.page.token) == (7, "t")
    assert not cameras_routes.CameraListing().request().HasField("area")


def test_a_box_and_a_polygon_are_those_of_the_contract() -> None:
    listing = cameras_routes.CameraListing(
        south=43.2, west=76.9, north=43.3, east=77, order="name", site_category="strategic"
    )
    request = listing.request()
    assert request.box == cameras_pb2.Box(south=43.2, west=76.9, north=43.3, east=77)
    assert request.order == cameras_pb2.CAMERA_ORDER_NAME
    assert request.site_category == cameras_pb2.SITE_CATEGORY_STRATEGIC
    assert not request.polygon.points and not request.HasField("polygon")
    ring = cameras_routes.CameraListing(polygon="43.2,76.9;43.3,-76.95;43.2,77").request().polygon
    assert [(point.latitude, point.longitude) for point in ring.points] == [
        *((43.2, 76.9), (43.3, -76.95), (43.2, 77))
    ]
    for wrong in ("43.2,76.9;43.3", "43.2", "a,b;c,d;e,f", "1,2;3,4;5,nan"):
        with pytest.raises(ValidationError):
            cameras_routes.CameraListing(polygon=wrong)
    with pytest.raises(ValidationError):
        cameras_routes.CameraListing(south=1.0)


def test_literals_are_the_contracts_names() -> None:
    for enum, literal in [
        (cameras_pb2.CameraKind, camera_schemas.CameraKind),
        (cameras_pb2.AiFunction, camera_schemas.AiFunction),
        (cameras_pb2.CameraStatus, camera_schemas.CameraStatus),
        (cameras_pb2.CameraOrder, camera_schemas.CameraOrder),
        (cameras_pb2.StreamRole, camera_schemas.StreamRole),
        (violations_pb2.ViolationState, violations_routes.ViolationState),
        (fines_pb2.FineState, fines_routes.FineState),
        (reports_pb2.Category, reports_routes.Category),
        (reports_pb2.ReportStatus, reports_routes.ReportStatus),
        (answers_pb2.AnswerState, answers_routes.AnswerState),
        (routing_pb2.SecrecyClass, routing_routes.SecrecyClass),
        (routing_pb2.RuleDays, routing_routes.RuleDays),
    ]:
        assert set(short_names(enum.DESCRIPTOR).values()) == set(typing.get_args(literal))


def _answered(plain: Any) -> Any:
    """A message's plain values without those that are never answered: they are empty."""
    if isinstance(plain, list):
        return [_answered(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    never = {name.partition(".")[2] for name in NEVER_ANSWERED}
    return {
        key: _answered(value)
        for key, value in plain.items()
        if key not in never or value not in ("", [], None)
    }


def filled_distinctly(message_type: type[Message]) -> Any:
    """Every field set, each to a value of its own."""
    message = message_type()
    _fill(message, message.DESCRIPTOR, iter(range(1, 100_000)))
    return message


def _fill(message: Any, descriptor: Any, numbers: Any) -> None:
    for field in descriptor.fields:
        if f"{descriptor.name}.{field.name}" in NEVER_ANSWERED:
            continue
        if field.message_type is not None and field.message_type.full_name != (
            Timestamp.DESCRIPTOR.full_name
        ):
            child = getattr(message, field.name)
            _fill(child.add() if field.is_repeated else child, field.message_type, numbers)
            continue
        value = _value(field, next(numbers))
        if field.is_repeated:
            getattr(message, field.name).append(value)
        elif field.message_type is not None:
            getattr(message, field.name).FromDatetime(value)
        else:
            setattr(message, field.name, value)


def _value(field: Any, number: int) -> Any:
    if field.message_type is not None:
        return datetime.fromtimestamp(1_700_000_000 + number, UTC)
    if field.enum_type is not None:
        known = sorted(short_names(field.enum_type))
        return known[number % len(known)]
    kinds: dict[Any, Any] = {
        field.CPPTYPE_STRING: f"text-{number}".encode()
        if field.type == field.TYPE_BYTES
        else f"text-{number}",
        field.CPPTYPE_BOOL: True,
        field.CPPTYPE_DOUBLE: number + 0.25,
    }
    return kinds.get(field.cpp_type, number)


def leaves_of(value: Any) -> typing.Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves_of(item)
    else:
        yield value
