"""Imitates uneven light on a plate, and the blur, noise and colours of a cheap camera."""

import cv2
import numpy as np
import numpy.typing as npt
from tartip_scenes.plates import DrawnPlate

Picture = npt.NDArray[np.uint8]


def photographed(rng: np.random.Generator, scene: Picture) -> Picture:
    """The scene as a cheap camera would take it, with random light, blur, noise and JPEG losses."""
    shot = scene
    if rng.random() < 0.4:
        size = int(rng.choice([3, 3, 5]))
        shot = cv2.GaussianBlur(shot, (size, size), 0).astype(np.uint8)
    if rng.random() < 0.15:
        shot = _smeared(rng, shot)
    light = shot.astype(np.float32) * rng.uniform(0.55, 1.3) + rng.uniform(-25, 30)
    if rng.random() < 0.4:  # each camera has a curve of its own
        light = 255 * (np.clip(light, 0, 255) / 255) ** np.float32(np.exp(rng.normal(0, 0.4)))
    width = light.shape[1]
    if rng.random() < 0.3:
        ramp = np.linspace(rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.1), width)
        light *= ramp[None, :, None].astype(np.float32)
    if rng.random() < 0.12:
        light = np.repeat(light.mean(2, keepdims=True), 3, 2) * rng.uniform(0.4, 1.4)
    light += rng.standard_normal(light.shape, np.float32) * rng.choice([0, 2, 4, 8, 12])
    shot = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 90))
        encoded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert decoded is not None
        shot = decoded.astype(np.uint8)
    return shot


def lit(rng: np.random.Generator, plate: DrawnPlate) -> DrawnPlate:
    """The plate under random uneven light, sometimes with a shadow on its upper part."""
    light = plate.picture.astype(np.float32) * rng.uniform(0.4, 1.1) + rng.uniform(-10, 20)
    if rng.random() < 0.3:
        width = light.shape[1]
        light *= np.linspace(rng.uniform(0.5, 1), rng.uniform(0.5, 1), width)[None, :, None]
    if rng.random() < 0.15:
        edge = int(rng.integers(0, light.shape[0]))
        light[:edge] *= rng.uniform(0.4, 0.8)
    return DrawnPlate(np.clip(light, 0, 255).astype(np.uint8), plate.text, plate.kind)


def _smeared(rng: np.random.Generator, scene: Picture) -> Picture:
    size = int(rng.integers(3, 8))
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2] = 1 / size
    middle = (size / 2 - 0.5, size / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(-35, 35)), 1)
    kernel = cv2.warpAffine(kernel, turn, (size, size)).astype(np.float32)
    return cv2.filter2D(scene, -1, kernel / max(float(kernel.sum()), 1e-6)).astype(np.uint8)
