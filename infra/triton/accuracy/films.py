"""Finds films and pictures in folders, and reads pictures and the frames of films."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from vision.arrays import Picture
from vision.pictures import open_picture

FILM_ENDINGS: Final = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm"})
PICTURE_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LIKELY_RATE: Final = 25.0
NOTES: Final = Console(stderr=True)


def films(folder: Path) -> list[Path]:
    """The films in a folder and its subfolders (by file name extension), sorted by path."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in FILM_ENDINGS)


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and its subfolders (by file name extension), sorted by path."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS)


def opened(path: Path) -> Picture | None:
    """Read a picture as BGR, as the inference gateway does. If that fails, OpenCV reads it.

    Returns None and prints a message if the file is missing or not a picture.
    """
    if not path.is_file():
        NOTES.print(f"left out: {path} is not there", style="yellow")
        return None
    content = path.read_bytes()
    try:
        return open_picture(content)
    except Exception:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if found is None:
            NOTES.print(f"left out: {path} is no picture", style="yellow")
            return None
        return np.asarray(found, np.uint8)


def frames(film: Path, per_second: float | None = None) -> Iterator[tuple[float, Picture]]:
    """Yield frames of a film as (seconds from the film's start, picture in BGR).

    About `per_second` frames are taken from each second of film. If `per_second` is None, all
    frames are taken.
    """
    rate, count = rate_of(film), frames_of(film)
    step = max(1, round(rate / per_second)) if per_second else 1
    capture = cv2.VideoCapture(str(film))
    try:
        for number in track(
            range(count), film.name, console=NOTES, transient=True, update_period=1.0
        ):
            if number % step:
                if not capture.grab():
                    return
                continue
            more, picture = capture.read()
            if not more:
                return
            yield number / rate, np.asarray(picture, np.uint8)
    finally:
        capture.release()


def rate_of(film: Path) -> float:
    """Return the frame rate (frames per second) that a film's file states.

    The result is 25 if the file states less than 1 or more than 240.
    """
    rate = _property(film, cv2.CAP_PROP_FPS)
    return rate if 1 <= rate <= 240 else LIKELY_RATE


def frames_of(film: Path) -> int:
    """Return the number of frames that a film's file states. This number may be too high.

    The result is ten million if the file states no number.
    """
    told = int(_property(film, cv2.CAP_PROP_FRAME_COUNT))
    return told if told > 0 else 10_000_000


def _property(film: Path, what: int) -> float:
    capture = cv2.VideoCapture(str(film))
    try:
        return float(capture.get(what))
    finally:
        capture.release()
