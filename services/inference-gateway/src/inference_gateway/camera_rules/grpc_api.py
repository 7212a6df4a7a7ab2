"""The gRPC service `tartip.inference.v1.Functions`: converts between protobuf and the use cases."""

from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.identity import Policy, allow
from chassis.refusals import Checks, checks
from tartip.inference.v1 import functions_pb2 as pb
from tartip.inference.v1 import functions_pb2_grpc

from inference_gateway.camera_rules.messages import canonical, message_of, read_functions
from inference_gateway.camera_rules.usecases import RulesDesk

SERVICE = "/tartip.inference.v1.Functions/"
POLICY: Policy = {
    f"{SERVICE}ConfigureCamera": allow(services=("tartip-cli",), roles=("camera_administrator",)),
    f"{SERVICE}GetConfiguration": allow(
        services=("tartip-cli",),
        roles=("camera_administrator", "dispatcher", "supervisor", "auditor"),
    ),
}


class FunctionsApi(functions_pb2_grpc.FunctionsServicer):
    def __init__(self, desk: RulesDesk) -> None:
        self._desk = desk

    async def ConfigureCamera(
        self, request: pb.ConfigureCameraRequest, context: grpc.aio.ServicerContext
    ) -> pb.ConfigureCameraResponse:
        # Who names no outside model can be configured while the models are away.
        outside = await self._desk.outside_models() if request.functions.outside_models else {}
        with checks() as check:
            camera_id = _camera(check, request.camera_id)
            check.that(request.version >= 0, "version", "the version that was read, from 0")
            check.that(request.HasField("functions"), "functions", "must be there")
            read_functions(check, request.functions, outside)
        assert camera_id is not None
        telemetry.annotate(camera=request.camera_id)
        version = await self._desk.configure(
            camera_id,
            canonical(request.functions),
            from_version=request.version,
            caller=current_caller(),
        )
        return pb.ConfigureCameraResponse(version=version)

    async def GetConfiguration(
        self, request: pb.GetConfigurationRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetConfigurationResponse:
        with checks() as check:
            camera_id = _camera(check, request.camera_id)
        assert camera_id is not None
        telemetry.annotate(camera=request.camera_id)
        kept = await self._desk.get(camera_id, current_caller())
        return pb.GetConfigurationResponse(
            version=kept.version,
            functions=message_of(kept.content) if kept.version else message_of(b""),
            configured_at=to_timestamp(kept.configured_at) if kept.configured_at else None,
        )


def _camera(check: Checks, text: str) -> UUID | None:
    camera_id = parse_id(text)
    check.that(camera_id is not None, "camera_id", "a UUIDv7 in lower case")
    return camera_id
