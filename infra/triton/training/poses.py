"""Random poses of a plate before a camera: its corners in pixels, turned and leaning."""

import numpy as np
import numpy.typing as npt

Corners = npt.NDArray[np.float32]


def turned(rng: np.random.Generator, size: tuple[int, int], *, wide: float) -> Corners:
    """Return the corners [4, 2] in pixels, around (0, 0), of a plate in a random pose.

    `size` is the plate's (width, height). The plate would be `wide` pixels wide if seen straight
    on. Most plates are seen nearly straight on; two in five are turned by up to 68 degrees.
    """
    width, height = size
    tall = wide * height / width * rng.uniform(0.92, 1.12)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [wide / 2, tall / 2]
    yaw = rng.uniform(-68, 68) if rng.random() < 0.4 else rng.normal(0, 14)
    yaw, pitch, roll = np.deg2rad([yaw, rng.normal(6, 9), rng.normal(0, 4)])
    # a camera over the road looks down, so a plate turned away also leans
    lean = pitch if rng.random() < 0.7 else 0.0
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]]
    )
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    placed = np.column_stack([square, np.zeros(4)]) @ (about_z @ about_x @ about_y).T
    away = wide * rng.uniform(3.5, 14)
    shown = placed[:, :2] * (away / (away + placed[:, 2]))[:, None]
    wobble = rng.uniform(-0.012, 0.012, (4, 2)) * wide
    corners: Corners = (shown + wobble).astype(np.float32)
    return corners
