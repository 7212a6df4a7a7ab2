"""Converts versions of a camera's description to protobuf, and to keys of page tokens."""

from collections.abc import Iterable

from chassis.clock import to_timestamp
from chassis.refusals import PageTokenWrong
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.messages import description_to_proto
from camera_registry.model.history import Version


def version_to_proto(version: Version, changed: Iterable[str]) -> pb.CameraVersion:
    """Convert a version; `changed` names the fields that differ from the version before it."""
    return pb.CameraVersion(
        version=version.number,
        held_from=to_timestamp(version.held_from),
        description=description_to_proto(version.description),
        changed=changed,
    )


def version_key(version: Version) -> tuple[str, ...]:
    """Return the key for a page token; the next page begins after this version."""
    return (str(version.number),)


def read_version_key(key: tuple[str, ...]) -> int | None:
    """Return the version number in a page token's key; None for an empty key (the first page).

    Raises PageTokenWrong if the key is not one that `version_key` returns.
    """
    if not key:
        return None
    if len(key) != 1 or not key[0].isdecimal():
        raise PageTokenWrong
    return int(key[0])
