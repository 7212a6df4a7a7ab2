"""Keyed hashes (blind indexes) of what a description holds in secret: IINs and passwords.

By them secrets are compared and found without being decrypted. Whoever does not have the key cannot
test guesses against them, as one could against plain hashes of such short values.
"""

from dataclasses import replace
from typing import Protocol

from camera_registry.model.description import Description
from camera_registry.model.streams import CameraStream

PERSON = "person"
STREAMS = "streams"


class BlindIndexes(Protocol):
    """What makes keyed hashes: a keyring, or the keys of a transaction."""

    def blind_index(self, key_class: str, field: str, value: str, /) -> bytes:
        """Return the keyed hash of a value, equal for equal values of one class and field."""


def owner_index(keyring: BlindIndexes, iin: str) -> bytes:
    """The keyed hash by which the cameras of a person are found."""
    return keyring.blind_index(PERSON, "owner", iin)


def keyed(description: Description, keyring: BlindIndexes) -> Description:
    """Return the description with the keyed hashes of its owner's IIN and of its passwords."""
    if not description.owner_iin and not description.streams:
        return description
    iin = description.owner_iin
    return replace(
        description,
        owner_index=owner_index(keyring, iin) if iin else description.owner_index,
        streams=tuple(_keyed_stream(description, each, keyring) for each in description.streams),
    )


def _keyed_stream(
    description: Description, stream: CameraStream, keyring: BlindIndexes
) -> CameraStream:
    if not stream.password:
        return stream
    # With serial number and name, so that equal passwords of two cameras do not look equal.
    value = "\0".join((*description.serial_key, stream.name, stream.password))
    return replace(stream, password_index=keyring.blind_index(STREAMS, "password", value))
