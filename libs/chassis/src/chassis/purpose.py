"""The purpose for which a call reads a person's data: a text in any script, forwarded to peers.

A purpose is sent in the gRPC metadata `tartip-purpose-bin` (UTF-8), or as `tartip-purpose` if it is
ASCII. The policy of a method states whether a purpose is required (`allow(…, purpose=True)`).
"""

import unicodedata
from collections.abc import Mapping

from chassis.characters import is_one_line, is_visible
from chassis.refusals import Kind, Refusal

METADATA_KEY = "tartip-purpose-bin"
ASCII_METADATA_KEY = "tartip-purpose"
LENGTH_MAX = 200


class PurposeRequired(Refusal):
    kind = Kind.INVALID
    code = "PURPOSE_REQUIRED"


class PurposeWrong(Refusal):
    kind = Kind.INVALID
    code = "PURPOSE_WRONG"


def checked_purpose(text: str) -> str:
    """Return a purpose in Unicode form NFC without outer spaces; "" if no character is visible.

    Raises PurposeWrong if it is longer than `LENGTH_MAX` or not a single line.
    """
    purpose = unicodedata.normalize("NFC", text.strip(" "))
    if len(purpose) > LENGTH_MAX or not is_one_line(purpose):
        raise PurposeWrong
    return purpose if is_visible(purpose) else ""


def purpose_in(metadata: Mapping[str, str | bytes]) -> str:
    """Return the purpose in a call's metadata, or "". Raises PurposeWrong if it is malformed."""
    encoded = metadata.get(METADATA_KEY)
    if not isinstance(encoded, bytes):
        return checked_purpose(str(metadata.get(ASCII_METADATA_KEY, "")))
    try:
        return checked_purpose(encoded.decode())
    except UnicodeDecodeError as error:
        raise PurposeWrong from error


def purpose_metadata(purpose: str) -> tuple[tuple[str, bytes], ...]:
    """Return the gRPC metadata that carries a purpose to a peer; empty if there is no purpose."""
    return ((METADATA_KEY, purpose.encode()),) if purpose else ()
