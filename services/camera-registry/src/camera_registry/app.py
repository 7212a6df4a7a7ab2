"""Composition root: builds the use cases, the gRPC services and the listener to reports of hubs.

Hubs are the control centres and edge boxes that report on cameras.
"""

from datetime import timedelta
from pathlib import Path

from audit_log.service import serve_audit_log
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.runtime import Chassis, Service
from law.guards import load as load_guards
from law.regions.borders import borders
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc, hubs_pb2, hubs_pb2_grpc

from camera_registry.consumers import ReportListener
from camera_registry.grpc_api import POLICY, CameraRegistryApi, UseCases
from camera_registry.grpc_hubs import POLICY as HUBS_POLICY
from camera_registry.grpc_hubs import CameraHubsApi
from camera_registry.messages import statistics_to_proto
from camera_registry.model.camera import INTERVALS_HEARD
from camera_registry.resume_tokens import ResumeTokens
from camera_registry.settings import RegistrySettings
from camera_registry.storage import decided_cameras
from camera_registry.usecases.change_feed import ChangeFeed
from camera_registry.usecases.hubs import Hubs
from camera_registry.usecases.imports import Imports
from camera_registry.usecases.merging import Merging
from camera_registry.usecases.register import Register
from camera_registry.usecases.statistics import Statistics
from camera_registry.usecases.tally import Tally
from camera_registry.usecases.watch import Watch
from camera_registry.watching import WatchedChanges

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[RegistrySettings]) -> None:
    guards = load_guards()
    borders()  # read now: the first camera does not wait for it
    interval = timedelta(seconds=chassis.settings.report_seconds)
    register = Register(chassis.db, chassis.clock, interval=interval)
    watch = Watch(
        chassis.work_db,
        silence=interval * INTERVALS_HEARD,
        measures_speed=lambda kind: guards.at(chassis.clock()).camera_kinds.measures_speed(kind),
    )
    listener = ReportListener(chassis.broker, watch, chassis.clock)
    feed = ChangeFeed(chassis.db)
    use_cases = UseCases(
        register,
        Imports(chassis.db),
        Merging(chassis.db, register),
        Statistics(chassis.db, chassis.clock, interval=interval, convert=statistics_to_proto),
        WatchedChanges(feed, ResumeTokens(chassis.db.keyring)),
    )
    chassis.serve(
        cameras_pb2.DESCRIPTOR.services_by_name["CameraRegistry"],
        cameras_pb2_grpc.add_CameraRegistryServicer_to_server,
        CameraRegistryApi(
            use_cases, Pages(chassis.db.keyring), lambda: guards.at(chassis.clock()).camera_kinds
        ),
        POLICY,
    )
    chassis.serve(
        hubs_pb2.DESCRIPTOR.services_by_name["CameraHubs"],
        hubs_pb2_grpc.add_CameraHubsServicer_to_server,
        CameraHubsApi(Hubs(chassis.db), Pages(chassis.db.keyring)),
        HUBS_POLICY,
    )
    serve_audit_log(chassis, records=decided_cameras.SOURCES)
    chassis.publish_from("CAMERAS")
    chassis.loop("heartbeats", listener.run)
    chassis.loop("tally", Tally(chassis.work_db).run)
    chassis.loop("changes", ChangeFeed(chassis.work_db).place)
    chassis.loop("watched changes", feed.poll)


SERVICE = Service(
    "camera-registry",
    settings=RegistrySettings,
    build=build,
    schema="camera_registry",
    migrations=MIGRATIONS,
    ids={"camera": UUID_SHAPE, "hub": UUID_SHAPE, "import": UUID_SHAPE},
)
