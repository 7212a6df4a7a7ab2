"""Composition root: builds the use cases, gRPC services, consumers and workers of the service."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from audit_log.rules import AuditRules
from audit_log.service import serve_audit_log
from chassis.db import Database
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.runtime import Chassis, Service
from law.regions.borders import borders
from law.report_deadlines import ReportDeadlines
from law.report_retention import ReportRetention
from partners.register import PartnerRegister
from partners.service import serve_partners
from tartip.reports.v1 import (
    answers_pb2,
    answers_pb2_grpc,
    personnel_pb2,
    personnel_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
    retention_pb2,
    retention_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
)

from citizen_reports import consumers
from citizen_reports.clients import CameraRegistry, InferenceGateway
from citizen_reports.examination.process import Examiner
from citizen_reports.grpc_api import (
    ANSWERS_POLICY,
    APPS_POLICY,
    COMPLAINTS_POLICY,
    DESK_POLICY,
    PERSONNEL_POLICY,
    RETENTION_POLICY,
    ROUTING_POLICY,
    AnswersApi,
    AppUseCases,
    CitizenReportsApi,
    ComplaintsApi,
    DeskUseCases,
    PersonnelApi,
    ReportDeskApi,
    RetentionApi,
    RoutingApi,
)
from citizen_reports.model.danger_words import read_lexicon
from citizen_reports.model.law import Law, read_law
from citizen_reports.model.routing import BuiltInRouter
from citizen_reports.model.webhooks import AllowedHosts
from citizen_reports.settings import ReportsSettings
from citizen_reports.storage import awaited, records, waiting_answers
from citizen_reports.storage.complaints import confidential_among, hidden_from
from citizen_reports.storage.desk_log_in import is_at_desk
from citizen_reports.usecases.active_routing import ActiveRouting
from citizen_reports.usecases.answer_templates import Templates
from citizen_reports.usecases.blurring import AT_ONCE, BLUR_MEDIA, Blurring
from citizen_reports.usecases.board import Board
from citizen_reports.usecases.cameras import HOLD_EVIDENCE, RELEASE_EVIDENCE, CameraEvidence
from citizen_reports.usecases.change_feed import ChangeFeed
from citizen_reports.usecases.complaints import MATCH_OFFICER, Complaints
from citizen_reports.usecases.correspondence import Correspondence
from citizen_reports.usecases.days import Days
from citizen_reports.usecases.desk import Desk
from citizen_reports.usecases.duplicates import Duplicates
from citizen_reports.usecases.escalation import WAITING, Escalation
from citizen_reports.usecases.execution import Execution
from citizen_reports.usecases.following_files import FollowingFiles
from citizen_reports.usecases.followup import RECORD_OUTCOME, FollowUp
from citizen_reports.usecases.intake import (
    DROP_DRAFT,
    FIND_DUPLICATES,
    NAME_CAMERAS,
    Intake,
)
from citizen_reports.usecases.merging import Followers, Merging
from citizen_reports.usecases.openings import Openings, SentMedia
from citizen_reports.usecases.personnel import RELEASE_CASES, RELEASE_LOG_IN, Personnel
from citizen_reports.usecases.plate_proposals import PROPOSE_PLATES, PlateProposals
from citizen_reports.usecases.recording import (
    CLOSE,
    DATE_ANSWER,
    DEADLINE,
    DUE_SOON,
    FOLLOW_PARENT,
    RESPONSE,
    ReportRecorder,
)
from citizen_reports.usecases.retention import Retention, RetentionDesk
from citizen_reports.usecases.routed_units import RoutedUnits
from citizen_reports.usecases.routing import MOVE_REGION, RegionMoves, Routing
from citizen_reports.usecases.routing_versions import RoutingVersions
from citizen_reports.usecases.searching import Search
from citizen_reports.usecases.text_index import TextIndex
from citizen_reports.usecases.triage import Triage
from citizen_reports.usecases.trial_officers import TrialOfficers
from citizen_reports.usecases.uploads import AWAIT_MEDIA, STORE_MEDIA, Uploads
from citizen_reports.usecases.viewings import Viewings
from citizen_reports.usecases.waiting_answers import SEND_ANSWER, Answers
from citizen_reports.usecases.webhooks import Webhooks
from citizen_reports.webhook_posts import HttpPosts

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[ReportsSettings]) -> None:
    _read_tables()
    db, clock = chassis.db, chassis.clock
    pages = Pages(db.keyring)
    law = _serve_routing(chassis, read_law(assume_years=chassis.settings.assume_years), pages)
    recorder = ReportRecorder(law.deadlines)
    channel = chassis.channels.to(chassis.settings.inference_gateway_address, "inference-gateway")
    evidence, openings = InferenceGateway(channel), Openings(db, clock)
    followup = FollowUp(chassis.work_db, clock, law, recorder, evidence)
    escalation = Escalation(chassis.work_db, clock, law.deadlines, recorder)
    change_feed = ChangeFeed(db)
    partners = serve_partners(chassis)
    intake = Intake(db, clock, law, recorder, openings, partners=partners)
    correspondence = Correspondence(db, clock, law, recorder, openings, intake)
    webhooks = _webhooks(chassis, partners)
    uploads = _uploads(chassis)
    days, viewings = Days(db, clock), Viewings(db, openings)
    asked = AppUseCases(intake, correspondence, uploads, change_feed, webhooks, days, viewings)
    apps = CitizenReportsApi(asked, pages)
    desk_usecases = Desk(db, clock, law, recorder, openings)
    execution = Execution(desk_usecases, clock, law.deadlines, recorder, openings)
    routing = Routing(desk_usecases, clock, law.routing, recorder, openings)
    sent = SentMedia(db, clock, openings, evidence)
    complaints = Complaints(db, clock, law, recorder, openings)
    triage = Triage(desk_usecases, clock, law.deadlines, recorder, openings)
    merging, board = Merging(desk_usecases, clock, recorder, openings), Board(db, clock)
    usecases = DeskUseCases(
        *(desk_usecases, routing, execution, board, complaints, triage, merging),
        Search(db, clock, law.deadlines),
    )
    desk = ReportDeskApi(usecases, sent, pages)
    _serve_answers(chassis, desk_usecases, law, recorder, pages)
    _serve_personnel(chassis, recorder, complaints, law, pages)
    _serve_retention(chassis, law.retention, evidence)

    services = reports_pb2.DESCRIPTOR.services_by_name
    chassis.serve(
        services["CitizenReports"],
        reports_pb2_grpc.add_CitizenReportsServicer_to_server,
        apps,
        APPS_POLICY,
    )
    chassis.serve(
        services["ReportDesk"],
        reports_pb2_grpc.add_ReportDeskServicer_to_server,
        desk,
        DESK_POLICY,
        needs=("inference-gateway",),
    )
    serve_audit_log(chassis, _audit_rules(chassis.db, law.deadlines.table), records.SOURCES)
    chassis.publish_from("REPORTS", "COMPLAINTS")
    chassis.consume("VIOLATIONS", consumers.violations(followup))
    chassis.consume("FINES", consumers.fines(followup))
    _watch_clocks(chassis, escalation)
    _see_evidence(chassis, evidence)
    chassis.do(MOVE_REGION, RegionMoves(chassis.work_db, clock, recorder).move)
    chassis.do(FOLLOW_PARENT, Followers(chassis.work_db, clock, law, recorder).follow)
    _follow_up(chassis, followup)
    chassis.loop("watching", change_feed.run)


def _serve_answers(
    chassis: Chassis[ReportsSettings],
    desk: Desk,
    law: Law,
    recorder: ReportRecorder,
    pages: Pages,
) -> None:
    """Serve answers from templates, and send them when their time has come."""
    clock, undo = chassis.clock, timedelta(seconds=chassis.settings.answer_undo_seconds)
    at_calls, at_work = (
        Answers(desk, db, clock, law, recorder, undo) for db in (chassis.db, chassis.work_db)
    )
    chassis.serve(
        answers_pb2.DESCRIPTOR.services_by_name["Answers"],
        answers_pb2_grpc.add_AnswersServicer_to_server,
        AnswersApi(at_calls, Templates(chassis.db, clock, law.outcomes), pages),
        ANSWERS_POLICY,
    )
    chassis.do(SEND_ANSWER, at_work.send)


def _uploads(chassis: Chassis[ReportsSettings]) -> Uploads:
    """Return the use cases of uploads; register the work on uploads that continue after
    submission."""
    examiner = Examiner()
    at_work = Uploads(chassis.work_db, chassis.clock, examiner)
    chassis.do(AWAIT_MEDIA, FollowingFiles(chassis.work_db, chassis.clock, at_work).check)
    return Uploads(chassis.db, chassis.clock, examiner)


def _follow_up(chassis: Chassis[ReportsSettings], followup: FollowUp) -> None:
    chassis.do(CLOSE, followup.close)
    chassis.do(DROP_DRAFT, followup.drop_draft)
    chassis.do(STORE_MEDIA, followup.store_media)
    chassis.do(FIND_DUPLICATES, Duplicates(chassis.work_db, chassis.clock).find)
    chassis.do(RECORD_OUTCOME, followup.record_outcome)
    chassis.loop("text index", TextIndex(chassis.work_db, chassis.clock).run)


def _watch_clocks(chassis: Chassis[ReportsSettings], escalation: Escalation) -> None:
    chassis.do(DEADLINE, escalation.check_deadline)
    chassis.do(RESPONSE, escalation.check_response)
    chassis.do(DUE_SOON, escalation.warn)
    chassis.do(WAITING, escalation.end_waiting)
    chassis.do(DATE_ANSWER, escalation.date_answer)


def _see_evidence(chassis: Chassis[ReportsSettings], evidence: InferenceGateway) -> None:
    """Register the work on evidence: naming cameras, placing and releasing holds, reading plates,
    and making blurred forms."""
    channel = chassis.channels.to(chassis.settings.camera_registry_address, "camera-registry")
    followed = CameraEvidence(chassis.work_db, chassis.clock, CameraRegistry(channel), evidence)
    chassis.do(NAME_CAMERAS, followed.name)
    chassis.do(HOLD_EVIDENCE, followed.hold)
    chassis.do(RELEASE_EVIDENCE, followed.release)
    chassis.do(PROPOSE_PLATES, PlateProposals(chassis.work_db, evidence).propose)
    # Of its own: no upload waits for it.
    blurrer = Examiner(at_once=1)
    blurring = Blurring(chassis.work_db, evidence, blurrer)
    chassis.do(BLUR_MEDIA, blurring.blur, at_once=AT_ONCE)


def _read_tables() -> None:
    """Read the borders and the lexicon now, so that the first report need not wait for them."""
    borders()
    read_lexicon()


def _webhooks(chassis: Chassis[ReportsSettings], partners: PartnerRegister) -> Webhooks:
    """Start the loop that sends webhooks; return the use cases that serve calls."""
    settings = chassis.settings
    allowed = AllowedHosts.of(settings.webhook_hosts)
    posts = HttpPosts(Path(settings.webhook_ca) if settings.webhook_ca else None)
    at_calls, at_work = (
        Webhooks(db, chassis.clock, partners, allowed=allowed, posts=posts)
        for db in (chassis.db, chassis.work_db)
    )
    chassis.loop("webhooks", at_work.run)
    return at_calls


def _serve_personnel(
    chassis: Chassis[ReportsSettings],
    recorder: ReportRecorder,
    complaints: Complaints,
    law: Law,
    pages: Pages,
) -> None:
    assert isinstance(law.router, ActiveRouting)
    routed = RoutedUnits(chassis.clock, law.routing, law.router)
    personnel = Personnel(chassis.db, chassis.clock, recorder, routed)
    services = personnel_pb2.DESCRIPTOR.services_by_name
    chassis.serve(
        services["Personnel"],
        personnel_pb2_grpc.add_PersonnelServicer_to_server,
        PersonnelApi(personnel, pages),
        PERSONNEL_POLICY,
    )
    chassis.serve(
        services["Complaints"],
        personnel_pb2_grpc.add_ComplaintsServicer_to_server,
        ComplaintsApi(complaints),
        COMPLAINTS_POLICY,
    )
    at_work = Personnel(chassis.work_db, chassis.clock, recorder, routed)
    chassis.do(RELEASE_CASES, at_work.release_cases)
    chassis.do(RELEASE_LOG_IN, at_work.release_log_in)
    chassis.do(MATCH_OFFICER, complaints.match_officer)
    if chassis.settings.trial_officers:
        trial = TrialOfficers(personnel, chassis.settings.trial_officers, chassis.clock)
        chassis.loop("trial officers", trial.run)


def _serve_routing(chassis: Chassis[ReportsSettings], law: Law, pages: Pages) -> Law:
    """Serve the routing rules, and return `law` with the router that applies the active ones."""
    assert isinstance(law.router, BuiltInRouter)
    active = ActiveRouting(chassis.db, chassis.clock, law.router)
    versions = RoutingVersions(chassis.db, chassis.clock, law.routing, active)
    chassis.serve(
        routing_pb2.DESCRIPTOR.services_by_name["Routing"],
        routing_pb2_grpc.add_RoutingServicer_to_server,
        RoutingApi(versions, pages, chassis.clock),
        ROUTING_POLICY,
    )
    chassis.loop("routing", active.run)
    return replace(law, router=active)


def _serve_retention(
    chassis: Chassis[ReportsSettings], table: ReportRetention, evidence: InferenceGateway
) -> None:
    chassis.serve(
        retention_pb2.DESCRIPTOR.services_by_name["Retention"],
        retention_pb2_grpc.add_RetentionServicer_to_server,
        RetentionApi(RetentionDesk(chassis.db, chassis.clock, table), table, chassis.clock),
        RETENTION_POLICY,
    )
    chassis.loop("retention", Retention(chassis.work_db, chassis.clock, table, evidence).run)


def _audit_rules(db: Database, deadlines: ReportDeadlines) -> AuditRules:
    return AuditRules(
        hidden_unclassified=frozenset({"report"}),
        records_attempts=True,
        hides=partial(hidden_from, db),
        confidential=partial(confidential_among, db),
        awaited={
            DEADLINE: awaited.escalations(deadlines),
            RESPONSE: awaited.responses(deadlines),
            WAITING: awaited.WAITS,
            DATE_ANSWER: awaited.UNDATED,
            DROP_DRAFT: awaited.DRAFTS,
            STORE_MEDIA: awaited.COMPLETE_MEDIA,
            AWAIT_MEDIA: awaited.FOLLOWING_MEDIA,
            HOLD_EVIDENCE: awaited.UNHELD,
            RELEASE_EVIDENCE: awaited.UNRELEASED,
            SEND_ANSWER: waiting_answers.TO_SEND,
        },
    )


SERVICE = Service(
    "citizen-reports",
    settings=ReportsSettings,
    build=build,
    schema="citizen_reports",
    migrations=MIGRATIONS,
    is_at_desk=is_at_desk,
    ids={"report": UUID_SHAPE + "|KZ[0-9]{2}-[0-9]{4}-[0-9]{7}"},
)
