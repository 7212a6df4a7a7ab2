"""The camera fields that this service caches, and the errors about cameras that callers get."""

from dataclasses import dataclass
from uuid import UUID

from chassis.refusals import Kind, Refusal


class CameraNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "CAMERA_NOT_FOUND"


class CameraRetired(Refusal):
    kind = Kind.STATE
    code = "CAMERA_RETIRED"


@dataclass(frozen=True)
class Camera:
    """The fields of a camera that this service needs. `device_key` is the Ed25519 public key of the
    camera's device, 32 bytes."""

    camera_id: UUID
    region: str
    version: int
    serial: str
    device_key: bytes
    retired: bool


def check_camera_in_use(camera: Camera) -> None:
    """Raise CameraRetired if the camera was taken out of service."""
    if camera.retired:
        raise CameraRetired
