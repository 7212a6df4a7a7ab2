"""Finds the camera that a user named by id, serial number or name."""

from __future__ import annotations

from tartip_cli.cli.errors import refusals_as_failures
from tartip_cli.clients.partner import Outside
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import CAMERA_REGISTRY

_SECONDS = 10.0
_NAMED = 10
"""How many candidates are listed; with more, a serial number is needed."""


async def camera_id_of(mesh: Outside, given: str) -> str:
    """Return the id of the camera with the serial number or name `given`. If `given` is already an
    id, it is returned in lower case, without a look-up. Raises Failure if no camera or several
    cameras match, or if the register refuses the search."""
    from chassis.clock import parse_id
    from tartip.cameras.v1 import cameras_pb2 as pb
    from tartip.cameras.v1 import cameras_pb2_grpc
    from tartip.common.v1 import common_pb2 as common

    wanted = given.strip()
    if parse_id(wanted.lower()) is not None:
        return wanted.lower()
    stub = cameras_pb2_grpc.CameraRegistryStub(mesh.as_command_line(CAMERA_REGISTRY))
    request = pb.ListCamerasRequest(serial_or_name=wanted, page=common.Page(size=_NAMED))
    with refusals_as_failures():
        answer = await stub.ListCameras(request, timeout=_SECONDS)
    found: list[pb.Camera] = list(answer.cameras)
    if len(found) == 1:
        return found[0].camera_id
    if not found:
        raise Failure(
            f"no camera in the register has the id, serial number or name {wanted}; `tartip seed` "
            "registers sample cameras and prints their ids",
            Exit.NOT_FOUND,
        )
    listed = "".join(
        f"\n  {camera.camera_id}  {camera.description.place.region}  "
        f"{camera.description.serial}  {camera.description.name}"
        for camera in found
    )
    raise Failure(f"several cameras are called {wanted}; give the id of one:{listed}", Exit.USAGE)
