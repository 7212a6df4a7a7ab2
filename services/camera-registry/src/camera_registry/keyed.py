"""Keyed hashes (blind indexes) of the secrets in a camera's description: IINs and passwords.

An IIN is the identification number of a person who owns a camera. By their hashes, secrets can be
compared and searched for without decryption. Whoever lacks the key cannot test guesses against a
keyed hash, as would be possible with a plain hash of a short value.
"""

from dataclasses import replace
from typing import Protocol

from camera_registry.model.description import Description
from camera_registry.model.streams import CameraStream

PERSON = "person"
STREAMS = "streams"


class BlindIndexes(Protocol):
    """An object that computes keyed hashes: a keyring, or the data keys of a transaction."""

    def blind_index(self, key_class: str, field: str, value: str, /) -> bytes:
        """Return the keyed hash of a value. Equal values of one class and field have equal
        hashes."""


def owner_index(keyring: BlindIndexes, iin: str) -> bytes:
    """The keyed hash of a person's IIN, by which the cameras that the person owns are found."""
    return keyring.blind_index(PERSON, "owner", iin)


def keyed(description: Description, keyring: BlindIndexes) -> Description:
    """Return the description with keyed hashes added: those of the owner's IIN and of stream
    passwords."""
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
