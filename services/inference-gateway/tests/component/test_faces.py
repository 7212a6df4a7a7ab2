"""Faces through a real Triton: a drawn person is found, and known again from farther away."""

import cv2
import numpy as np
from tartip_scenes.faces import draw_face
from tartip_testing.mesh import RunningTestMesh
from vision.arrays import Picture
from vision.boxes import Box
from vision.faces import recognition
from vision.faces.detector import FaceDetector, forget

from .processes import Process
from .test_triton import models


def framed(*people: Picture) -> Picture:
    """People side by side in a camera's frame."""
    frame = np.full((540, 960, 3), 120, np.uint8)
    left = 40
    for person in people:
        height, width = person.shape[:2]
        frame[100 : 100 + height, left : left + width] = person
        left += width + 40
    return frame


async def test_a_drawn_person_is_found_and_known_again_from_afar(
    engines: RunningTestMesh, triton: Process
) -> None:
    near = draw_face(4)
    far = cv2.resize(near.picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    picture = framed(near.picture, np.asarray(far, np.uint8))
    served = models(engines)
    try:
        detector = FaceDetector(served)
        seen = sorted(await detector.detect(picture), key=lambda face: face.box.x)
        templates = await detector.templates(picture, seen)
    finally:
        await served.close()
    x, y, width, height = near.box
    assert len(seen) == 2
    assert seen[0].box.iou(Box(40 + x, 100 + y, width, height)) > 0.5
    assert seen[0].quality.eye_pixels > 1.7 * seen[1].quality.eye_pixels
    assert templates.shape == (2, recognition.TEMPLATE_LENGTH)
    assert recognition.distance(templates[0], templates[1]) < recognition.MATCH_THRESHOLD
    forget(templates)
    assert not templates.any()


async def test_a_wall_has_no_face(engines: RunningTestMesh, triton: Process) -> None:
    served = models(engines)
    try:
        assert await FaceDetector(served).detect(framed()) == []
    finally:
        await served.close()
