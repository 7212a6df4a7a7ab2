"""Composition root: builds the use cases, gRPC services and heartbeat listener of the service."""

from datetime import timedelta
from pathlib import Path

from audit_log.service import serve_audit_log
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.runtime import Chassis, Service
from law.guards import load as load_guards
from law.regions.borders import borders
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

from camera_registry.consumers import HeartbeatListener
from camera_registry.grpc_api import POLICY, CameraRegistryApi
from camera_registry.resume_tokens import ResumeTokens
from camera_registry.settings import RegistrySettings
from camera_registry.usecases.change_feed import ChangeFeed
from camera_registry.usecases.imports import Imports
from camera_registry.usecases.register import Register
from camera_registry.usecases.tally import Tally
from camera_registry.usecases.watch import Watch
from camera_registry.watching import WatchedChanges

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[RegistrySettings]) -> None:
    guards = load_guards()
    borders()  # read now: the first camera does not wait for it
    silence = timedelta(seconds=chassis.settings.silence_seconds)
    register = Register(chassis.db, chassis.clock, silence=silence)
    watch = Watch(chassis.db, silence=silence)
    listener = HeartbeatListener(chassis.broker, watch, chassis.clock)
    feed = ChangeFeed(chassis.db)
    chassis.serve(
        cameras_pb2.DESCRIPTOR.services_by_name["CameraRegistry"],
        cameras_pb2_grpc.add_CameraRegistryServicer_to_server,
        CameraRegistryApi(
            register,
            Imports(chassis.db),
            Pages(chassis.db.keyring),
            WatchedChanges(feed, ResumeTokens(chassis.db.keyring)),
            lambda: guards.at(chassis.clock()).camera_kinds,
        ),
        POLICY,
    )
    serve_audit_log(chassis)
    chassis.publish_from("CAMERAS")
    chassis.loop("heartbeats", listener.run)
    chassis.loop("tally", Tally(chassis.db).run)
    chassis.loop("changes", feed.place)
    chassis.loop("watched changes", feed.poll)


SERVICE = Service(
    "camera-registry",
    settings=RegistrySettings,
    build=build,
    schema="camera_registry",
    migrations=MIGRATIONS,
    ids={"camera": UUID_SHAPE, "import": UUID_SHAPE},
)
