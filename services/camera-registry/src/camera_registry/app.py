"""What the service consists of and how its parts are joined."""

from pathlib import Path

from chassis.runtime import Chassis, Service
from chassis.settings import Settings
from chassis.telemetry import UUID_SHAPE
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

from camera_registry.consumers import HeartbeatListener
from camera_registry.grpc_api import POLICY, CameraRegistryApi
from camera_registry.usecases import Register, Watch

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


async def build(chassis: Chassis[Settings]) -> None:
    register = Register(chassis.db)
    watch = Watch(chassis.db, chassis.clock)
    listener = HeartbeatListener(chassis.bus, watch, chassis.clock)
    chassis.serve(
        cameras_pb2.DESCRIPTOR.services_by_name["CameraRegistry"],
        cameras_pb2_grpc.add_CameraRegistryServicer_to_server,
        CameraRegistryApi(register),
        POLICY,
    )
    chassis.publish_from("CAMERAS")
    chassis.loop("heartbeats", listener.run)
    chassis.loop("silence", lambda: watch.keep_looking_for_silence(listener.hears_since))


SERVICE = Service(
    "camera-registry",
    settings=Settings,
    build=build,
    schema="camera_registry",
    migrations=MIGRATIONS,
    ids={"camera": UUID_SHAPE},
)
