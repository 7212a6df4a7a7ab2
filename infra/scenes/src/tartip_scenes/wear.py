"""Adds bolts, mud and snow to a plate, and pastes a plate into a scene."""

import cv2
import numpy as np

from tartip_scenes.brush import Picture
from tartip_scenes.plates import Corners, DrawnPlate


def soil(picture: Picture, rng: np.random.Generator, *, strength: float) -> Picture:
    """Return a copy of a plate's picture with random bolts, and with spots of mud and snow.

    The mean number of spots is 3 * `strength`. A strength of 1 looks like a winter road.
    """
    soiled = picture.copy()
    height, width = soiled.shape[:2]
    for _ in range(int(rng.choice([0, 0, 2, 4]))):
        x = int(rng.choice([0.12, 0.2, 0.8, 0.9]) * width + rng.integers(-12, 13))
        y = int(rng.choice([0.08, 0.92]) * height)
        cv2.circle(soiled, (x, y), int(rng.integers(3, 7)), (120, 120, 120), -1)
    for _ in range(int(rng.poisson(3.0 * strength))):
        mud = int(rng.integers(60, 140))
        tint = (235, 235, 235) if rng.random() < 0.3 else (mud - 10, mud + 5, mud + 15)
        layer = soiled.copy()
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(8, 70)), int(rng.integers(4, 26)))
        cv2.ellipse(layer, centre, axes, float(rng.integers(0, 180)), 0, 360, tint, -1)
        share = float(rng.uniform(0.15, 0.55))
        soiled = cv2.addWeighted(layer, share, soiled, 1 - share, 0).astype(np.uint8)
    return soiled


def paste_plate(
    scene: Picture, plate: DrawnPlate, corners: Corners, *, light: float = 1.0
) -> Picture:
    """Return a copy of the scene with the plate warped onto `corners` [4, 2] (pixels in the scene).

    `light` is a factor for the plate's brightness.
    """
    height, width = scene.shape[:2]
    source = plate.corners
    face = plate.picture
    shown_width = float(np.linalg.norm(corners[1] - corners[0]))
    if shown_width * 2 < face.shape[1]:  # avoid aliasing when the plate is far away
        scale = shown_width * 2 / face.shape[1]
        face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
            np.uint8
        )
        shrunk = np.array(face.shape[1::-1]) / np.array(plate.picture.shape[1::-1])
        source = (source * shrunk).astype(np.float32)
    warp = cv2.getPerspectiveTransform(
        np.ascontiguousarray(source, np.float32), np.ascontiguousarray(corners, np.float32)
    )
    lit = np.clip(face.astype(np.float32) * light, 0, 255)
    shown = cv2.warpPerspective(lit, warp, (width, height), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones(face.shape[:2], np.float32), warp, (width, height))
    blended = scene * (1 - mask[..., None]) + shown * mask[..., None]
    return blended.astype(np.uint8)
