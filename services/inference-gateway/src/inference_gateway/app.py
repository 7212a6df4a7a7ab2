"""Assembles the service: creates its parts and connects them."""

from datetime import timedelta
from pathlib import Path

from audit_log.rules import AuditRules
from audit_log.service import serve_audit_log
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.health import Check, Effect, Reasons
from host.runtime import Chassis, Service
from tartip.inference.v1 import (
    functions_pb2,
    functions_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    streams_pb2,
    streams_pb2_grpc,
)
from vision.bystanders import BystanderDetector
from vision.detector import Detector
from vision.faces.detector import FaceDetector

from inference_gateway.admission import InferencePool
from inference_gateway.camera_rules import grpc_api as functions_api
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.camera_rules.usecases import OutsideModels, RulesDesk
from inference_gateway.cameras.clients import Cameras, RegisterClient
from inference_gateway.consumers import SUBSCRIPTIONS
from inference_gateway.evidence.checks import EvidenceCheck
from inference_gateway.evidence.grpc_api import EvidenceApi
from inference_gateway.evidence.storage import BlobStore
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.grpc_api import POLICY, InferenceApi
from inference_gateway.holds.grpc_api import HoldsApi
from inference_gateway.holds.usecases import EvidenceHolds
from inference_gateway.ingest.edge_grpc_api import EdgeApi
from inference_gateway.ingest.evidence_bystanders import EvidenceBystanders
from inference_gateway.ingest.evidence_plates import EvidencePlates
from inference_gateway.ingest.grpc_api import IngestApi
from inference_gateway.ingest.photographs_grpc_api import PhotographsApi
from inference_gateway.ingest.usecases import Intake, SessionParts
from inference_gateway.ingest.video_ingest import VideoIngest
from inference_gateway.probes import model as probes
from inference_gateway.probes.rounds import Prober, Times
from inference_gateway.quarantine.grpc_api import QuarantineApi
from inference_gateway.quarantine.guard import QuarantineGuard
from inference_gateway.settings import InferenceSettings
from inference_gateway.streams import grpc_api as streams_api
from inference_gateway.streams.usecases import StreamsDesk
from inference_gateway.streams.worker import Worker
from inference_gateway.triton import Credentials, TritonModels
from inference_gateway.watchlists.wiring import join as join_watchlists

TRITON = "triton"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[InferenceSettings]) -> None:
    settings = chassis.settings
    models = models_of(settings)
    chassis.on_stop.append(models.close)
    chassis.checks.append(triton_check(models))
    register = RegisterClient(
        chassis.channels.to(settings.camera_registry_address, "camera-registry")
    )
    objects = BlobStore(settings.evidence_url)
    evidence = EvidenceStore(chassis.db, objects, chassis.clock)
    pool = InferencePool(Detector(models))
    cameras = Cameras(chassis.db, register, chassis.clock)
    guard = QuarantineGuard(chassis.db, chassis.clock)
    configurations = Configurations(chassis.db)
    faces = join_watchlists(chassis, models, pool, evidence)
    parts = SessionParts(pool, evidence, faces)
    intake = Intake(chassis.db, cameras, configurations, parts, guard, chassis.clock)
    videos = VideoIngest(chassis.db, cameras, configurations, parts, chassis.clock)
    pages = Pages(chassis.db.keyring)
    chassis.serve(
        inference_pb2.DESCRIPTOR.services_by_name["Inference"],
        inference_pb2_grpc.add_InferenceServicer_to_server,
        InferenceApi(
            IngestApi(intake, videos),
            EdgeApi(intake),
            PhotographsApi(
                EvidencePlates(pool, evidence),
                EvidenceBystanders(pool, evidence, BystanderDetector(models)),
            ),
            EvidenceApi(evidence, pages),
            HoldsApi(EvidenceHolds(chassis.db, chassis.clock)),
            QuarantineApi(guard, pages),
        ),
        POLICY,
        needs=(TRITON, "camera-registry"),
    )
    chassis.serve(
        functions_pb2.DESCRIPTOR.services_by_name["Functions"],
        functions_pb2_grpc.add_FunctionsServicer_to_server,
        functions_api.FunctionsApi(
            RulesDesk(chassis.db, cameras, configurations, labels_of(models))
        ),
        functions_api.POLICY,
        needs=(TRITON, "camera-registry"),
    )
    chassis.serve(
        streams_pb2.DESCRIPTOR.services_by_name["Streams"],
        streams_pb2_grpc.add_StreamsServicer_to_server,
        streams_api.StreamsApi(StreamsDesk(chassis.db, cameras), pages),
        streams_api.POLICY,
        needs=("camera-registry",),
    )
    chassis.loop("streams", Worker(chassis.work_db, cameras, configurations, parts).run)
    chassis.consume("CAMERAS", SUBSCRIPTIONS)
    serve_audit_log(
        chassis, AuditRules(hidden_unclassified=frozenset({"evidence"}), records_attempts=True)
    )
    chassis.publish_from("INFERENCE", "SIGHTINGS")
    keep_evidence(chassis, objects)
    chassis.loop("golden probes", prober_of(chassis, pool, models).keep_probing)


def models_of(settings: InferenceSettings) -> TritonModels:
    credentials = Credentials(
        settings.triton_cert or settings.tls_cert,
        settings.triton_key or settings.tls_key,
        settings.tls_ca,
    )
    return TritonModels(settings.triton_url, credentials)


def keep_evidence(chassis: Chassis[InferenceSettings], objects: BlobStore) -> None:
    """Register the loops that delete expired evidence and quarantined frames, and that check all
    stored evidence for damage."""
    evidence = EvidenceStore(chassis.work_db, objects, chassis.clock)
    guard = QuarantineGuard(chassis.work_db, chassis.clock)
    chassis.loop("evidence sweeper", evidence.keep_sweeping)
    chassis.loop("evidence check", check_of(chassis, evidence).keep_checking)
    chassis.loop("quarantine sweeper", guard.keep_sweeping)


def triton_check(models: TritonModels) -> Check:
    async def look() -> Reasons:
        return {} if await models.ready() else {TRITON: "does not have all models ready"}

    return Check(TRITON, Effect.PEER, look)


def check_of(chassis: Chassis[InferenceSettings], evidence: EvidenceStore) -> EvidenceCheck:
    settings = chassis.settings
    period = timedelta(days=settings.evidence_check_days)
    return EvidenceCheck(
        chassis.work_db, evidence, period, settings.evidence_check_bytes_per_second
    )


def prober_of(
    chassis: Chassis[InferenceSettings], pool: InferencePool, models: TritonModels
) -> Prober:
    settings = chassis.settings
    return Prober(
        chassis.work_db,
        pool,
        FaceDetector(models),
        chassis.clock,
        probes.load(),
        Times(
            settings.probe_first_after_seconds,
            settings.probe_every_seconds,
            settings.probe_again_after_seconds,
            settings.probe_slowest_seconds,
        ),
    )


def labels_of(models: TritonModels) -> OutsideModels:
    async def ask() -> dict[str, tuple[str, ...]]:
        return {name: model.labels for name, model in (await models.object_models()).items()}

    return ask


SERVICE = Service(
    "inference-gateway",
    settings=InferenceSettings,
    build=build,
    schema="inference",
    migrations=MIGRATIONS,
    ids={"camera": UUID_SHAPE, "frame": UUID_SHAPE, "entry": UUID_SHAPE},
)
