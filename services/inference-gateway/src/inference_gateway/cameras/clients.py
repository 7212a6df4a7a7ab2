"""The peers of this service: the camera register."""

from uuid import UUID

import grpc
from chassis.channels import peers_refusals
from chassis.refusals import Kind, Refusal
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

from inference_gateway.cameras.model import Camera, CameraNotFound

REGISTER_SECONDS = 2.0


class RegisterClient:
    """`cameras.CameraRegister` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = cameras_pb2_grpc.CameraRegistryStub(channel)

    async def camera(self, camera_id: UUID) -> Camera:
        request = cameras_pb2.GetCameraRequest(camera_id=str(camera_id))
        try:
            with peers_refusals():
                answer = await self._stub.GetCamera(request, timeout=REGISTER_SECONDS)
        except Refusal as refusal:
            if refusal.kind is Kind.NOT_FOUND:
                raise CameraNotFound from refusal
            raise
        return _camera(answer.camera)


def _camera(message: cameras_pb2.Camera) -> Camera:
    description = message.description
    return Camera(
        camera_id=UUID(message.camera_id),
        region=description.place.region,
        version=message.version,
        serial=description.serial,
        device_key=description.device_key,
        retired=message.status == cameras_pb2.CAMERA_STATUS_RETIRED
        or message.HasField("retired_at"),
    )
