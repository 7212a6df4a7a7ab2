"""RTSP cameras for the bench, in a process of their own: `-m tartip_cli.bench.camera_server`.

Each shows a street for a minute, over and over: for most of it nothing moves, then a car drives up.
They do not do so at the same moment. The addresses are printed as one line of JSON; the process
ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
from tartip_scenes.rtsp import RtspServer, clip_of, film_of
from tartip_scenes.scenes import Light, draw_film

CAMERAS: Final = 8
RATE: Final = 2
MINUTE: Final = 60 * RATE
DRIVE: Final = 14
_NOISE: Final = 3
"""Levels of grey: without a sensor's noise a picture that does not change is a frozen one."""
_CODEC: Final = {"crf": "27", "preset": "veryfast"}


def minute(seed: int) -> list[np.ndarray]:
    """A minute of one camera, from another moment of it for each."""
    noise = np.random.default_rng(seed)
    drive = [scene.picture for scene in draw_film(seed, frames=DRIVE, light=Light.DAY)]
    still = [drive[0]] * (MINUTE - DRIVE)
    frames = [*still, *drive]
    begin = seed * MINUTE // CAMERAS
    shown = []
    for picture in frames[begin:] + frames[:begin]:
        grain = noise.integers(-_NOISE, _NOISE + 1, (*picture.shape[:2], 1), np.int16)
        shown.append(np.clip(picture + grain, 0, 255).astype(np.uint8))
    return shown


def main(folder: Path) -> None:
    """Films are kept in the folder: drawing and encoding them takes longer than most parts."""
    clips = []
    for seed in range(CAMERAS):
        path = folder / f"camera-{seed}.mp4"
        if not path.exists():
            path.write_bytes(film_of(minute(seed), rate=RATE, key_every=RATE * 4, options=_CODEC))
        clips.append(clip_of(path))
    server = RtspServer(clips[0])
    for place, clip in enumerate(clips):
        server.put(f"camera-{place}", clip)
    addresses = [server.address_of(f"camera-{place}") for place in range(CAMERAS)]
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
