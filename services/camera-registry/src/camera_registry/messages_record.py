"""Converts streams, owners and certificates between protobuf messages and the model, and copies
descriptions with keyed hashes in place of secrets."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from chassis.fields import enum_of, read_moment
from chassis.refusals import Checks
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.keyed import STREAMS, BlindIndexes, owner_index
from camera_registry.model.owner import check_iin
from camera_registry.model.streams import CameraStream, StreamRole, with_split_url


def read_streams(given: Iterable[pb.CameraStream]) -> tuple[CameraStream, ...]:
    """Convert streams. An unknown role becomes None.

    If an address contains a user and password, they are moved to the fields `user` and `password`.
    """
    return tuple(
        with_split_url(
            CameraStream(
                each.name,
                each.url,
                enum_of(StreamRole, pb.StreamRole, each.role),
                each.user,
                each.password,
            )
        )
        for each in given
    )


def streams_to_proto(streams: Iterable[CameraStream]) -> Iterator[pb.CameraStream]:
    """Convert streams without their passwords; `has_password` says whether a stream has one."""
    for each in streams:
        yield pb.CameraStream(
            name=each.name,
            url=each.url,
            user=each.user,
            role=pb.StreamRole.Value(f"STREAM_ROLE_{each.role}"),
            has_password=bool(each.password_index),
        )


def read_certificate_validity(check: Checks, given: pb.CameraDescription) -> datetime | None:
    """Return the moment until which the camera's type approval certificate is valid.

    Returns None if no moment is given. If the moment is invalid, the field is added to `check`, and
    EPOCH is returned.
    """
    if not given.HasField("certificate_valid_until"):
        return None
    at = "description.certificate_valid_until"
    return read_moment(check, at, given.certificate_valid_until)


def read_owner_filter(check: Checks, iin: str) -> str:
    """Return the IIN (personal number) of the owner whose cameras a request lists; "" if it names
    none.

    If the IIN is invalid, the field is added to `check`.
    """
    if iin:
        check_iin(check, "owner_iin", iin)
    return iin


def content_of(given: pb.CameraDescription, keyring: BlindIndexes) -> bytes:
    """Return the description, serialised with keyed hashes in place of secrets.

    Equal descriptions give equal bytes, so that repeated requests can be recognised.
    """
    return without_secrets(given, keyring).SerializeToString(deterministic=True)


def without_secrets(given: pb.CameraDescription, keyring: BlindIndexes) -> pb.CameraDescription:
    """Return a copy of a description with keyed hashes in place of secrets.

    The secrets are the owner's IIN, and the URL and password of each stream. A description without
    an IIN and without streams is returned itself, not copied.
    """
    if not given.owner_iin and not given.streams:
        return given
    hidden = pb.CameraDescription()
    hidden.CopyFrom(given)
    if given.owner_iin:
        hidden.owner_iin = owner_index(keyring, given.owner_iin).hex()
    for stream in hidden.streams:
        # An address may hold a password too.
        for name in ("url", "password"):
            if value := getattr(stream, name):
                setattr(stream, name, keyring.blind_index(STREAMS, name, value).hex())
    return hidden
