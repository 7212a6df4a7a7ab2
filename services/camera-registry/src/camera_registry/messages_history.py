"""Conversion of the versions of a camera's description between the contract and the model."""

from collections.abc import Iterable

from chassis.clock import to_timestamp
from chassis.refusals import PageTokenWrong
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.messages import description_to_proto
from camera_registry.model.history import Version


def version_to_proto(version: Version, changed: Iterable[str]) -> pb.CameraVersion:
    """Convert a version and the names of the fields that differ from the one before."""
    return pb.CameraVersion(
        version=version.number,
        held_from=to_timestamp(version.held_from),
        description=description_to_proto(version.description),
        changed=changed,
    )


def version_key(version: Version) -> tuple[str, ...]:
    """The key in a page token of a page that ends with this version."""
    return (str(version.number),)


def read_version_key(key: tuple[str, ...]) -> int | None:
    """The number of the version in a page token, None for the first page. Raises PageTokenWrong."""
    if not key:
        return None
    if len(key) != 1 or not key[0].isdecimal():
        raise PageTokenWrong
    return int(key[0])
