"""Composition root: builds the use cases, gRPC service, consumers and workers of the service."""

from pathlib import Path

from audit_log.rules import AuditRules
from audit_log.service import serve_audit_log
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.consumer import Subscription
from host.runtime import Chassis, Service
from law import guards
from law.articles import read_articles
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.reports.v1 import events_pb2 as report_events
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from violations.assessment import Assessment
from violations.clients import CameraRegister, EvidenceStore, ReportRegister
from violations.conflicts import Conflicts
from violations.consumers import (
    on_evidence_accepted,
    on_function_degraded,
    on_function_recovered,
    on_plate_read,
)
from violations.degradation import Degradations
from violations.grpc_api import POLICY, ViolationsApi
from violations.openings import Forms, Frames, Openings
from violations.settings import ViolationsSettings
from violations.signing import OfficerAuthority
from violations.storage import reads, records
from violations.usecases import Desk

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


AUDIT_RULES = AuditRules(
    records_attempts=True, unrecorded_keys=reads.KEYS_OF_CLOSED, awaited=reads.AWAITED
)


async def build(chassis: Chassis[ViolationsSettings]) -> None:
    settings, clock = chassis.settings, chassis.clock
    authority = OfficerAuthority.open(settings.officer_ca)
    openings = Openings(chassis.db, clock)
    desk = Desk(chassis.db, clock, authority, Conflicts(chassis.db, clock), openings)
    store = EvidenceStore(chassis.channels, settings.inference_gateway_address)
    pages = Pages(chassis.db.keyring)
    degradations = Degradations(chassis.work_db, clock)
    assessment = Assessment(
        chassis.work_db,
        clock,
        articles=read_articles(),
        guards=guards.load(),
        cameras=CameraRegister(chassis.channels, settings.camera_registry_address),
        reports=ReportRegister(chassis.channels, settings.citizen_reports_address),
    )
    chassis.serve(
        violations_pb2.DESCRIPTOR.services_by_name["Violations"],
        violations_pb2_grpc.add_ViolationsServicer_to_server,
        ViolationsApi(desk, Degradations(chassis.db, clock), Frames(openings, store), pages),
        POLICY,
        needs=("inference-gateway",),
    )
    serve_audit_log(chassis, AUDIT_RULES, records.SOURCES)
    chassis.publish_from("VIOLATIONS")
    chassis.consume(
        "SIGHTINGS",
        {
            "inference.v1.function_degraded": Subscription(
                inference_events.FunctionDegraded, on_function_degraded(degradations)
            ),
            "inference.v1.function_recovered": Subscription(
                inference_events.FunctionRecovered, on_function_recovered(degradations)
            ),
        },
    )
    chassis.consume(
        "INFERENCE",
        {
            "inference.v1.plate_read": Subscription(
                inference_events.PlateRead, on_plate_read(assessment)
            ),
        },
    )
    chassis.consume(
        "REPORTS",
        {
            "reports.v1.traffic_evidence_accepted": Subscription(
                report_events.TrafficEvidenceAccepted, on_evidence_accepted(assessment)
            ),
        },
    )
    chassis.do("assess", assessment.assess)
    chassis.do("assess_held", assessment.assess_held)
    chassis.do("put_forward", degradations.release_held_reads)
    chassis.do("settle_conflicts", Conflicts(chassis.work_db, clock).settle)
    chassis.do("ask_report", assessment.ask_report)
    chassis.do("learn_forms", Forms(chassis.work_db, clock, store).learn)


SERVICE = Service(
    "violations",
    settings=ViolationsSettings,
    build=build,
    schema="violations",
    migrations=MIGRATIONS,
    ids={
        "violation": UUID_SHAPE,
        "camera": UUID_SHAPE,
        "report": UUID_SHAPE + "|KZ[0-9]{2}-[0-9]{4}-[0-9]{7}",
    },
)
