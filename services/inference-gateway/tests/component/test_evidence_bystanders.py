"""Faces and plates are found in stored photographs, so that a copy can be made without them. That
nobody is told that there are none while the models are away is in test_faults."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from chassis.purpose import purpose_metadata
from tartip.inference.v1 import inference_pb2 as pb
from tartip_scenes.faces import draw_face
from tartip_scenes.scenes import Light, draw_scene
from vision.arrays import Picture
from vision.boxes import Box
from vision.mosaic import covered, obscure
from vision.pictures import open_picture

from .callers import As, refused
from .processes import Process
from .test_evidence import audited

FOLDER = os.environ.get("TARTIP_PHOTOGRAPHS", "")
LATER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
PATIENCE_SECONDS = 120.0


def find_faces(
    caller: As, sha256: str, *, purpose: str = "test", **told: Any
) -> pb.FindFacesAndPlatesResponse:
    metadata = (*caller.metadata, *purpose_metadata(purpose))
    request = pb.FindFacesAndPlatesRequest(sha256=sha256, **told)
    answer = caller.stub.FindFacesAndPlates(request, timeout=60, metadata=metadata)
    assert isinstance(answer, pb.FindFacesAndPlatesResponse)
    return answer


def found_in(caller: As, content: bytes, **told: Any) -> pb.FindFacesAndPlatesResponse:
    """Asks until the models answer, as the caller does: on a busy machine they may be late."""
    sha256, until = caller.store(content), time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return find_faces(caller, sha256, **told)
        except grpc.RpcError as error:
            assert error.code() in LATER and time.monotonic() < until, error
            time.sleep(0.5)


def jpeg(picture: Picture) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def boxes(found: pb.FindFacesAndPlatesResponse) -> list[Box]:
    return [Box(box.x, box.y, box.width, box.height) for box in (*found.faces, *found.plates)]


def is_covered(box: Box, found: list[Box], picture: Picture) -> bool:
    """Whether one of the parts that are made unrecognisable has all of a box."""
    height, width = picture.shape[:2]
    inner = box.within(width=width, height=height)
    for part in found:
        left, top, right, bottom = covered(part, width=width, height=height)
        is_wide = left <= inner.x and inner.x + inner.width <= right
        if is_wide and top <= inner.y and inner.y + inner.height <= bottom:
            return True
    return False


def street() -> tuple[Picture, list[Box]]:
    """A drawn street with a car and two people before it, and where plate and faces are."""
    scene = draw_scene(98, text="725BDE07", light=Light.DAY)
    picture = np.ascontiguousarray(scene.picture)
    truth = [Box(*scene.truth.plate)]
    for left, seed, factor in ((20, 4, 0.75), (picture.shape[1] - 130, 5, 0.3)):
        drawn = draw_face(seed)
        person = cv2.resize(drawn.picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        tall, wide = person.shape[:2]
        picture[10 : 10 + tall, left : left + wide] = person
        x, y, width, height = (length * factor for length in drawn.box)
        truth.append(Box(left + x, 10 + y, width, height))
    return picture, truth


def test_faces_and_plates_are_found_audited_and_not_kept(
    triton: Process, as_: Callable[..., As], rows: Callable[[str], list[Any]]
) -> None:
    owner, (picture, truth) = as_("citizen-reports"), street()
    sha256 = hashlib.sha256(jpeg(picture)).hexdigest()
    counts = [rows(f"SELECT count(*) AS count FROM {name}") for name in ("frames", "outbox")]
    found = found_in(owner, jpeg(picture), confidential=True)
    assert [box for box in truth if not is_covered(box, boxes(found), picture)] == []
    assert len(found.faces) >= 2 and found.plates
    after = [rows(f"SELECT count(*) AS count FROM {name}") for name in ("frames", "outbox")]
    assert after == counts
    entry = audited(rows, "read_evidence", sha256)[-1]
    assert (entry["purpose"], entry["class"]) == ("test", "confidential")
    obscure(picture, boxes(found))
    again = found_in(owner, jpeg(picture))
    assert not again.faces


@pytest.mark.skipif(not FOLDER, reason="TARTIP_PHOTOGRAPHS is not set")
def test_no_face_of_a_real_photograph_is_found_in_its_copy(
    triton: Process, as_: Callable[..., As]
) -> None:
    owner = as_("citizen-reports")
    for name in ("df_selfie-many-people.jpg", "df_couple.jpg"):
        content = (Path(FOLDER) / "faces" / name).read_bytes()
        picture = open_picture(content)
        found = found_in(owner, jpeg(picture))
        assert len(found.faces) >= 2
        obscure(picture, boxes(found))
        assert not found_in(owner, jpeg(picture)).faces, name


def test_nobody_else_and_nobody_without_a_purpose_has_faces_found(as_: Callable[..., As]) -> None:
    owner = as_("citizen-reports")
    sha256 = owner.store(jpeg(street()[0]))
    for stranger in (as_("violations"), as_("tartip-cli"), as_("kaspi", kind="partner")):
        with refused("NOT_ALLOWED"):
            find_faces(stranger, sha256)
    with refused("PURPOSE_REQUIRED"):
        find_faces(owner, sha256, purpose="")
    with refused("EVIDENCE_NOT_FOUND"):
        find_faces(owner, "ab" * 32)
    with refused("BAD_REQUEST"):
        find_faces(owner, "725BDE07")
