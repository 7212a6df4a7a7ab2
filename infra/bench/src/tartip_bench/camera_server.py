"""Serves RTSP cameras for the bench, in a separate process: `-m tartip_bench.camera_server FOLDER`.

Each camera shows the same minute of a street in a loop: nothing moves at first, then a car drives
up. Every camera starts at a different moment of the minute. The addresses are printed as one line
of JSON. The process ends when its standard input is closed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tartip_scenes.clips import Access, Clip, clip_of, film_of
from tartip_scenes.rtsp import RtspServer
from tartip_scenes.scenes import Light, draw_film

CAMERAS: Final = 8
RATE: Final = 2
MINUTE: Final = 60 * RATE
KEY_EVERY: Final = MINUTE // CAMERAS
DRIVE: Final = 14
_SEED: Final = 4
_NOISE: Final = 3
"""In grey levels: an unchanging picture without sensor noise would count as frozen."""
_GRAINS: Final = 5
_CODEC: Final = {"crf": "27", "preset": "veryfast"}


def minute() -> list[npt.NDArray[np.uint8]]:
    """Draw the pictures of one minute of a street: a distant car stands still, then drives up."""
    noise = np.random.default_rng(_SEED)
    drive = [scene.picture for scene in draw_film(_SEED, frames=DRIVE, light=Light.DAY)]
    grains = [
        noise.integers(-_NOISE, _NOISE + 1, (*drive[0].shape[:2], 1), np.int16)
        for _ in range(_GRAINS)
    ]
    return [
        np.clip(picture + grains[place % _GRAINS], 0, 255).astype(np.uint8)
        for place, picture in enumerate([drive[0]] * (MINUTE - DRIVE) + drive)
    ]


def beginning_at(clip: Clip, place: int) -> Clip:
    """Return the clip rotated so that it starts at the frame with the index `place`, which must be
    a key frame. No frame of the clip may depend on a later one."""
    turned = clip.frames[place:] + clip.frames[:place]
    moved = [
        Access(
            frame.units,
            (frame.sent - turned[0].sent) % clip.length,
            (frame.shown - turned[0].shown) % clip.length,
        )
        for frame in turned
    ]
    return Clip(tuple(moved), clip.length)


def main(folder: Path) -> None:
    """Serve the cameras until standard input is closed. The film is drawn and encoded, which takes
    seconds, and stored in `folder`. A film that is already in `folder` is used again."""
    path = folder / "cameras.mp4"
    if not path.exists():
        path.write_bytes(film_of(minute(), rate=RATE, key_every=KEY_EVERY, options=_CODEC))
    clip = clip_of(path)
    server = RtspServer(clip)
    for place in range(CAMERAS):
        server.put(f"camera-{place}", beginning_at(clip, place * KEY_EVERY))
    addresses = [server.address_of(f"camera-{place}") for place in range(CAMERAS)]
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
