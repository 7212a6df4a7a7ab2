"""Measures how well faces are found, and how well two pictures of one person are matched.

faces/pairs.csv lists pairs of pictures and whether both show the same person. The largest face in
each picture is compared. The pairs are then measured again with one face made worse: small, blurred
or compressed, in a frame as large as a camera's.
"""

import asyncio
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track
from vision.arrays import Floats, Picture
from vision.faces import recognition as seeing
from vision.faces.detector import FaceDetector
from vision.faces.recognition import Face, Likeness, Usable

from accuracy.films import NOTES, PICTURE_ENDINGS, opened
from accuracy.models import ModelsAlone
from accuracy.page import Page
from accuracy.shares import Share

FRAME: Final = (720, 1280)
FACE_TO_EYES: Final = 2.2
"""The width of a face, divided by the distance between its eyes; about."""
AROUND: Final = 3.0
PUBLISHED: Final = {
    "VGG-Face_cosine": (0.40, 0.68),
    "VGG-Face_euclidean": (0.60, 1.17),
    "VGG-Face_euclidean_l2": (0.86, 1.17),
    "Facenet_cosine": (0.40,),
    "Facenet_euclidean": (10.0,),
    "Facenet_euclidean_l2": (0.80,),
    "OpenFace_cosine": (0.10,),
    "OpenFace_euclidean_l2": (0.55,),
    "DeepFace_cosine": (0.23,),
    "DeepFace_euclidean": (64.0,),
    "DeepFace_euclidean_l2": (0.64,),
}
"""Thresholds that versions of deepface published for these models; the best one counts."""


@dataclass(frozen=True, slots=True)
class Pair:
    one: str
    other: str
    same: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The largest face in a picture, and its template, the embedding by which faces are
    compared."""

    face: Face
    template: Floats
    picture: Picture


@dataclass(frozen=True, slots=True)
class Hardship:
    """A way of degrading a face's picture before it is measured.

    The face is scaled to `width` pixels, blurred by `blur` pixels (0: not at all) and compressed
    with the JPEG quality `jpeg` (0: not at all).
    """

    width: int
    blur: float = 0.0
    jpeg: int = 0

    def __str__(self) -> str:
        parts = [f"{self.width} px wide"]
        parts += [f"blurred by {self.blur:g} px"] if self.blur else []
        parts += [f"JPEG {self.jpeg}"] if self.jpeg else []
        return ", ".join(parts)


HARDSHIPS: Final = (
    *(Hardship(width) for width in (96, 64, 48, 32, 24, 16)),
    *(Hardship(width, jpeg=40) for width in (64, 32)),
    *(Hardship(64, blur=blur) for blur in (1.0, 2.0, 3.0)),
    Hardship(96, blur=5.0),
)


def measure(folder: Path, models: ModelsAlone, page: Page) -> None:
    home = folder / "faces"
    page.say("## Faces\n")
    looker = FaceDetector(models)
    rows = _rows(home / "truth.csv")
    known = _count_faces(home, rows, looker, page)
    pairs = [
        Pair(row["file_a"], row["file_b"], row["decision"].lower() in {"same", "yes"})
        for row in _rows(home / "pairs.csv")
    ]
    wanted = {name for pair in pairs for name in (pair.one, pair.other)}
    for name in sorted(wanted - set(known)):
        if (found := _known(home / name, looker)) is not None:
            known[name] = found
    distances = _pairs(pairs, known, page)
    _published(home / "pairs_published_distances.csv", distances, page)
    _hardships(pairs, known, looker, page)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        NOTES.print(f"left out: {path} is not there", style="yellow")
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _known(path: Path, looker: FaceDetector) -> Known | None:
    picture = opened(path)
    if picture is None:
        return None
    found = asyncio.run(looker.detect(picture))
    return _largest(picture, found, looker)


def _largest(picture: Picture, found: list[Face], looker: FaceDetector) -> Known | None:
    if not found:
        return None
    face = max(found, key=lambda one: one.box.width * one.box.height)
    return Known(face, asyncio.run(looker.templates(picture, [face]))[0], picture)


def _count_faces(
    home: Path, rows: list[dict[str, str]], looker: FaceDetector, page: Page
) -> dict[str, Known]:
    """Also tells how many faces are found where their number is known."""
    known, exact, found_of = {}, Share(), Share()
    for row in track(rows, "faces in pictures", console=NOTES, transient=True):
        path = home / row["file"]
        if path.suffix.lower() not in PICTURE_ENDINGS or (picture := opened(path)) is None:
            continue
        found = asyncio.run(looker.detect(picture))
        largest = _largest(picture, found, looker)
        if largest is not None:
            known[row["file"]] = largest
        if not (row.get("faces") or "").isdigit():
            continue
        number = int(row["faces"])
        exact += Share(int(len(found) == number), 1)
        found_of += Share(min(len(found), number), number)
        if len(found) != number:
            boxes = [face.box for face in found]
            page.failed(row["file"], picture, f"{number} faces, found {len(found)}", boxes)
    page.say(
        f"Pictures whose number of faces is known: {exact} with just that number; of their "
        f"faces {found_of} found.\n"
    )
    return known


def _pairs(pairs: list[Pair], known: Mapping[str, Known], page: Page) -> dict[Pair, float]:
    distances = _distances(pairs, known)
    missing = len(pairs) - len(distances)
    right = Share()
    for pair, apart in distances.items():
        good = (apart < seeing.SAME_PERSON) == pair.same
        right += Share(int(good), 1)
        wrong_act = not pair.same and apart < seeing.MATCH_THRESHOLD
        if not good or wrong_act:
            _show_pair(pair, apart, known, page)
    if missing:
        right += Share(0, missing)
    page.say(
        f"{len(pairs)} labelled pairs ({sum(pair.same for pair in pairs)} of one person). "
        f"Right at dlib's published threshold, {seeing.SAME_PERSON}: **{right}**; without a "
        f"face and so without an answer: {missing}.\n"
    )
    _acting(distances, known, page)
    return distances


def _acting(distances: Mapping[Pair, float], known: Mapping[str, Known], page: Page) -> None:
    """At the two thresholds that the search uses, poor faces held back."""
    same, other = (
        _likenesses(distances, known, want=True),
        _likenesses(distances, known, want=False),
    )
    page.say(
        f"The search acts below {seeing.MATCH_THRESHOLD} and says that it does not know up to "
        f"{seeing.SAME_PERSON}, or when a face is too small, blurred, turned or badly lit.\n"
    )
    rows = [
        (
            what,
            _share_of(found, Likeness.MATCH),
            _share_of(found, Likeness.UNKNOWN),
            _share_of(found, Likeness.OTHER),
        )
        for what, found in (("one person", same), ("two people", other))
    ]
    page.table("pairs of | acting | unknown | no match", rows)


def _likenesses(
    distances: Mapping[Pair, float], known: Mapping[str, Known], *, want: bool
) -> list[Likeness]:
    """The poorer face of a pair is the one that is searched."""
    found = []
    for pair, apart in distances.items():
        if pair.same == want:
            faces = [known[pair.one].face, known[pair.other].face]
            poor = next((face for face in faces if face.for_search is not Usable.YES), faces[0])
            found.append(seeing.likeness(apart, poor))
    return found


def _published(path: Path, ours: Mapping[Pair, float], page: Page) -> None:
    """The same pairs by the distances that lie beside them."""
    rows = [row for row in _rows(path) if row.get("decision")]
    same = np.array([row["decision"].lower() in {"same", "yes"} for row in rows], bool)
    if not len(rows):
        return
    table = []
    mine = {frozenset((pair.one, pair.other)): apart for pair, apart in ours.items()}
    own = np.array([mine.get(frozenset((r["file_a"], r["file_b"])), np.nan) for r in rows])
    table.append(("this project", *_verdict(own, same, (seeing.SAME_PERSON,))))
    columns = [name for name in rows[0] if name not in {"file_a", "file_b", "decision"}]
    for name in columns:
        apart = np.array([float(row[name] or "nan") for row in rows])
        table.append((name.replace("_", " "), *_verdict(apart, same, PUBLISHED.get(name, ()))))
    page.say(
        f"The same on the {len(rows)} pairs with published distances of other models; the "
        "best threshold is chosen on these very pairs, which flatters it.\n"
    )
    page.table(
        "distance | right at its published threshold | right at the best threshold "
        "| means apart, in deviations",
        table,
    )


def _verdict(
    apart: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], published: tuple[float, ...]
) -> tuple[str, str, str]:
    def right(threshold: float) -> Share:
        return Share(int(((apart < threshold) == same).sum()), len(same))

    values = sorted({float(value) for value in apart if np.isfinite(value)})
    between = [(low + high) / 2 for low, high in pairwise(values)]
    best = max((right(threshold) for threshold in between), key=lambda share: share.good)
    told = max((right(threshold) for threshold in published), key=lambda s: s.good, default="-")
    one, two = apart[same & np.isfinite(apart)], apart[~same & np.isfinite(apart)]
    spread = float(np.sqrt((one.var() + two.var()) / 2))
    return str(told), str(best), f"{(two.mean() - one.mean()) / max(spread, 1e-9):.1f}"


def _hardships(
    pairs: list[Pair], known: Mapping[str, Known], looker: FaceDetector, page: Page
) -> None:
    names = {name for pair in pairs for name in (pair.one, pair.other) if name in known}
    cut = {name: _cut(known[name]) for name in sorted(names)}
    rows = []
    for hardship in track(HARDSHIPS, "harder faces", console=NOTES, transient=True):
        worse = {name: _worse(*kept, hardship) for name, kept in cut.items()}
        rows.append((str(hardship), *_hard_row(pairs, worse, known, looker)))
    page.say(
        "Harder faces, one of each pair made worse in a frame of "
        f"{FRAME[1]} x {FRAME[0]} and searched for with the other as it is; both ways "
        "round:\n"
    )
    page.table(
        "searched face | found | usable | one person: acting | unknown | no match | "
        "two people: acting | acting without the check of quality",
        rows,
    )


def _hard_row(
    pairs: list[Pair],
    worse: Mapping[str, Picture],
    known: Mapping[str, Known],
    looker: FaceDetector,
) -> tuple[str, ...]:
    seen = {}
    for name, picture in worse.items():
        largest = _largest(picture, asyncio.run(looker.detect(picture)), looker)
        if largest is not None:
            seen[name] = largest
    usable = sum(found.face.for_search is Usable.YES for found in seen.values())
    same: list[Likeness] = []
    other: list[Likeness] = []
    unchecked = Share()
    for pair in pairs:
        for searched, entry in ((pair.one, pair.other), (pair.other, pair.one)):
            if searched in seen and entry in known:
                apart = seeing.distance(seen[searched].template, known[entry].template)
                likeness = seeing.likeness(apart, seen[searched].face)
                (same if pair.same else other).append(likeness)
                if not pair.same:
                    unchecked += Share(int(apart < seeing.MATCH_THRESHOLD), 1)
    return (
        f"{len(seen)} of {len(worse)}",
        f"{usable} of {len(seen)}",
        _share_of(same, Likeness.MATCH),
        _share_of(same, Likeness.UNKNOWN),
        _share_of(same, Likeness.OTHER),
        _share_of(other, Likeness.MATCH),
        str(unchecked),
    )


def _cut(known: Known) -> tuple[Picture, float]:
    """The face with its surroundings, and how far its eyes are apart there."""
    box, picture = known.face.box, known.picture
    size = max(box.width, box.height)
    left, top = (
        int(max(0.0, middle - size * AROUND / 2))
        for middle in (box.x + box.width / 2, box.y + box.height / 2)
    )
    right, bottom = int(left + size * AROUND), int(top + size * AROUND)
    return np.ascontiguousarray(picture[top:bottom, left:right]), known.face.quality.eye_pixels


def _worse(cut: Picture, eye_pixels: float, hardship: Hardship) -> Picture:
    scale = hardship.width / (FACE_TO_EYES * eye_pixels)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=method)[: FRAME[0]]
    frame = np.full((*FRAME, 3), 110, np.uint8)
    top, left = (FRAME[0] - small.shape[0]) // 2, (FRAME[1] - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    if hardship.blur:
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), hardship.blur), np.uint8)
    if hardship.jpeg:
        packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, hardship.jpeg])[1]
        frame = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return frame


def _distances(pairs: Iterable[Pair], known: Mapping[str, Known]) -> dict[Pair, float]:
    return {
        pair: seeing.distance(known[pair.one].template, known[pair.other].template)
        for pair in pairs
        if pair.one in known and pair.other in known
    }


def _share_of(found: list[Likeness], wanted: Likeness) -> str:
    return str(Share(found.count(wanted), len(found)))


def _show_pair(pair: Pair, apart: float, known: Mapping[str, Known], page: Page) -> None:
    chips = [
        seeing.chip(one.picture, one.face.landmarks) for one in (known[pair.one], known[pair.other])
    ]
    shown = cv2.resize(np.hstack(chips), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    what = "one person" if pair.same else "two people"
    name = f"{Path(pair.one).stem} {Path(pair.other).stem}"
    page.failed(name, np.asarray(shown, np.uint8), f"{what}, {apart:.3f} apart")
