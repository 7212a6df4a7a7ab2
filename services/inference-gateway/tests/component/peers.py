"""Peers and devices: a camera register of this process, and boxes that sign."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from chassis.clock import new_id, to_timestamp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from inference_gateway.frames.model import Readings
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip_testing.mesh import RunningTestMesh

SERVICE = "inference-gateway"
CALL_SECONDS = 40.0


def credentials(engines: RunningTestMesh, kind: str, name: str) -> grpc.ChannelCredentials:
    pair = getattr(engines.certificates, kind)(name)
    return grpc.ssl_channel_credentials(
        engines.certificates.authority.read_bytes(),
        pair.key.read_bytes(),
        pair.certificate.read_bytes(),
    )


@dataclass
class Device:
    """A camera in the register and the device in it that signs."""

    camera_id: str = field(default_factory=lambda: str(new_id()))
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    serial: str = field(default_factory=lambda: f"SN-{new_id()}")
    region: str = "KZ-75"
    counter: int = 0

    def sign(self, picture: bytes, at: datetime, **changes: Any) -> inference_pb2.SignedReadings:
        self.counter += 1
        told: dict[str, Any] = {
            "device_serial": self.serial,
            "device_time": at,
            "counter": self.counter,
            "frame_sha256": hashlib.sha256(picture).digest(),
            "speed_kmh": 88.0,
            "speed_limit_kmh": 60.0,
            **changes,
        }
        readings = inference_pb2.Readings(**{**told, "device_time": to_timestamp(at)})
        signature = self.key.sign(Readings(**told).canonical())
        return inference_pb2.SignedReadings(readings=readings, signature=signature)


class Register(cameras_pb2_grpc.CameraRegistryServicer):
    """The peer: answers what the test put in, and counts how often it was asked."""

    def __init__(self) -> None:
        self.cameras: dict[str, cameras_pb2.Camera] = {}
        self.asked: list[str] = []

    def add(self, device: Device, *, version: int = 1, retired: bool = False) -> None:
        self.cameras[device.camera_id] = cameras_pb2.Camera(
            camera_id=device.camera_id,
            version=version,
            status=cameras_pb2.CAMERA_STATUS_RETIRED
            if retired
            else cameras_pb2.CAMERA_STATUS_UNSPECIFIED,
            description=cameras_pb2.CameraDescription(
                serial=device.serial,
                device_key=device.key.public_key().public_bytes_raw(),
                place=common_pb2.Place(region=device.region),
            ),
        )

    def GetCamera(
        self, request: cameras_pb2.GetCameraRequest, context: grpc.ServicerContext
    ) -> cameras_pb2.GetCameraResponse:
        self.asked.append(request.camera_id)
        if request.camera_id not in self.cameras:
            context.abort(grpc.StatusCode.NOT_FOUND, "CAMERA_NOT_FOUND")
        return cameras_pb2.GetCameraResponse(camera=self.cameras[request.camera_id])
