"""What the service consists of and how its parts are joined."""

from pathlib import Path

from audit_log.rules import AuditRules
from audit_log.service import serve_audit_log
from chassis.runtime import Chassis, Service
from chassis.telemetry import UUID_SHAPE
from tartip.inference.v1 import (
    functions_pb2,
    functions_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    streams_pb2,
    streams_pb2_grpc,
)
from vision.detector import Detector
from vision.faces.detector import FaceDetector

from inference_gateway.cameras import Cameras
from inference_gateway.clients import RegisterClient
from inference_gateway.consumers import SUBSCRIPTIONS
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.functions import grpc_api as functions_api
from inference_gateway.functions.configurations import Configurations
from inference_gateway.functions.usecases import Desk as FunctionsDesk
from inference_gateway.functions.usecases import Outside
from inference_gateway.grpc_api.edge import POLICY, EdgeApi
from inference_gateway.objects import SealedObjects
from inference_gateway.probes import model as probes
from inference_gateway.probes.rounds import Prober, Times
from inference_gateway.quarantine.ward import Ward
from inference_gateway.settings import InferenceSettings
from inference_gateway.showing import Showing
from inference_gateway.streams import grpc_api as streams_api
from inference_gateway.streams.usecases import Desk as StreamsDesk
from inference_gateway.streams.worker import Worker
from inference_gateway.triton import Credentials, TritonModels
from inference_gateway.usecases import Intake
from inference_gateway.watchlists.parts import join as join_watchlists

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[InferenceSettings]) -> None:
    settings = chassis.settings
    models = TritonModels(
        settings.triton_url,
        Credentials(settings.tls_cert, settings.tls_key, settings.tls_ca),
    )
    chassis.on_stop.append(models.close)
    register = RegisterClient(
        chassis.channels.to(settings.camera_registry_address, "camera-registry")
    )
    vault = Vault(chassis.db, SealedObjects(settings.evidence_url), chassis.clock)
    eyes = Eyes(Detector(models))
    cameras = Cameras(chassis.db, register, chassis.clock)
    ward = Ward(chassis.db, chassis.clock)
    configurations = Configurations(chassis.db)
    faces = join_watchlists(chassis, models, eyes, vault)
    intake = Intake(chassis.db, cameras, eyes, vault, chassis.clock, ward, configurations, faces)
    showing = Showing(chassis.db, intake, eyes, vault, chassis.clock)
    chassis.serve(
        inference_pb2.DESCRIPTOR.services_by_name["Inference"],
        inference_pb2_grpc.add_InferenceServicer_to_server,
        EdgeApi(intake, showing, vault, ward),
        POLICY,
    )
    chassis.serve(
        functions_pb2.DESCRIPTOR.services_by_name["Functions"],
        functions_pb2_grpc.add_FunctionsServicer_to_server,
        functions_api.FunctionsApi(
            FunctionsDesk(chassis.db, intake, configurations, labels_of(models))
        ),
        functions_api.POLICY,
    )
    chassis.serve(
        streams_pb2.DESCRIPTOR.services_by_name["Streams"],
        streams_pb2_grpc.add_StreamsServicer_to_server,
        streams_api.StreamsApi(StreamsDesk(chassis.db, intake)),
        streams_api.POLICY,
    )
    chassis.loop("streams", Worker(chassis.db, intake, cameras, eyes, vault).run)
    chassis.consume("CAMERAS", SUBSCRIPTIONS)
    serve_audit_log(
        chassis, AuditRules(hidden_unclassified=frozenset({"evidence"}), records_attempts=True)
    )
    chassis.publish_from("INFERENCE", "SIGHTINGS")
    chassis.loop("evidence sweeper", vault.keep_sweeping)
    chassis.loop("quarantine sweeper", ward.keep_sweeping)
    prober = Prober(
        chassis.db,
        eyes,
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
    chassis.loop("golden probes", prober.keep_probing)


def labels_of(models: TritonModels) -> Outside:
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
