"""The peers of this service: the camera register."""

from uuid import UUID

import grpc
from chassis.channels import peers_refusals
from chassis.refusals import Kind, Refusal
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

from inference_gateway.model import Camera, CameraNotFound

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


def _camera(told: cameras_pb2.Camera) -> Camera:
    description = told.description
    return Camera(
        camera_id=UUID(told.camera_id),
        region=description.place.region,
        version=told.version,
        serial=description.serial,
        device_key=description.device_key,
        retired=told.status == cameras_pb2.CAMERA_STATUS_RETIRED or told.HasField("retired_at"),
    )
