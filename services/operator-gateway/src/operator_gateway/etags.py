"""Entity tags of cameras (RFC 9110, 8.8.3), for conditional reads and changes.

A tag is strong. It has the camera's version, a dot and a digest of the whole camera, because the
status can change without a new version. For a change only the version is compared. So a tag is
accepted even if the status has changed since, or if the tag has no digest.
"""

import hashlib
import re
from typing import Annotated

from chassis.refusals import BadRequest, FieldError, Kind, Refusal
from fastapi import Depends, Header
from fastapi import Response as Reply
from tartip.cameras.v1 import cameras_pb2

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_STRONG = re.compile(r'"([1-9][0-9]{0,17})(?:\.[0-9a-f]+)?"')
_DIGEST_LETTERS = 16


class IfMatchRequired(Refusal):
    kind = Kind.INVALID
    code = "IF_MATCH_REQUIRED"


def tag_of(camera: cameras_pb2.Camera) -> str:
    """Return the entity tag for an answer that contains this camera."""
    content = camera.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LETTERS]
    return f'"{camera.version}.{digest}"'


def tag(response: Reply, camera: cameras_pb2.Camera) -> None:
    """Set the header ETag of a response to the entity tag of this camera."""
    response.headers["ETag"] = tag_of(camera)


def is_known(if_none_match: str, current: str) -> bool:
    """Whether the header If-None-Match contains the entity tag `current` (or is "*"), so that the
    response is 304."""
    return if_none_match.strip() == "*" or current in _TAG.findall(if_none_match)


def _version_read(
    if_match: Annotated[
        str,
        Header(
            alias="If-Match",
            max_length=100,
            description="The ETag of the answer that was read: without it 428, of another version "
            "than the camera has now 412 (RFC 9110, 13.1.1; RFC 6585, 3).",
        ),
    ] = "",
) -> int:
    """FastAPI dependency: the version that the header If-Match names. Raises IfMatchRequired, or
    BadRequest for anything but one strong tag."""
    if not if_match:
        raise IfMatchRequired
    found = _STRONG.fullmatch(if_match.strip())
    if found is None:
        raise BadRequest(fields=(FieldError("If-Match", "BAD_REQUEST", "the ETag of a camera"),))
    return int(found[1])


def same_version(in_header: int, in_body: int) -> int:
    """Return `in_header`, the version in the header If-Match. Raises BadRequest if the request's
    body has another version. If `in_body` is 0, the body has none."""
    if in_body not in (0, in_header):
        wrong = FieldError("version", "BAD_REQUEST", "that of If-Match, or none")
        raise BadRequest(fields=(wrong,))
    return in_header


IfMatch = Annotated[int, Depends(_version_read)]
IfNoneMatch = Annotated[
    str,
    Header(
        alias="If-None-Match",
        max_length=1000,
        description="ETags of answers that the client has: 304 if one of them is current.",
    ),
]
