"""Reads photographs without plates from public packages, as backgrounds for rendered plates.

The photographs come from installed Python packages and from two packages that `fetch` downloads:
Debian's opencv-doc (sample pictures) and npm's @pmndrs/assets (CC0 panoramas). Pictures that show
plates or people in close-up are excluded, and so are all pictures on which accuracy is measured.
"""

import base64
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

PANORAMAS: Final = "@pmndrs/assets@1.7.0"
PANORAMAS_SHA256: Final = "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc"
LONGEST_SIDE: Final = 1200
SMALLEST_SIDE: Final = 200
FLAT_SHARE: Final = 0.45
DRAWINGS_SKIPPED: Final = 4
"""Of the packages' many drawings one in four is used, as examples of lettering that is no plate."""
LEFT_OUT: Final = re.compile(
    r"licenseplate|lena|messi|left\d|right\d|digits|calib|mask|tmpl|templ|gradient|squirrel"
    r"|astronaut|phantom|cell|retina|ihc|microaneurysms|chessboard|logo|hubble|moon|matte|trimap"
)


def fetch(folder: Path) -> None:
    """Download opencv-doc and @pmndrs/assets to a folder and unpack them, if not done before.

    Raises SystemExit if the npm package has an unexpected SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "opencv-doc").exists():
        subprocess.run(["apt-get", "download", "opencv-doc"], cwd=folder, check=True)
        archive = next(folder.glob("opencv-doc_*.deb"))
        subprocess.run(["dpkg", "-x", archive.name, "opencv-doc"], cwd=folder, check=True)
    if not (folder / "package" / "hdri").exists():
        npm = Path(sys.executable).with_name("npm")
        command = str(npm) if npm.exists() else "npm"
        subprocess.run([command, "pack", "--silent", PANORAMAS], cwd=folder, check=True)
        archive = next(folder.glob("pmndrs-assets-*.tgz"))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != PANORAMAS_SHA256:
            raise SystemExit(f"{archive}: the package is not the one expected ({digest})")
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")


def load(folder: Path) -> list[Picture]:
    """Read the pictures of the packages in a folder (see `fetch`) and of skimage and sklearn.

    Small pictures are not used. Of the drawings (diagrams, pages, screens), only every
    `DRAWINGS_SKIPPED`-th is used. The order of the pictures is always the same.
    """
    found = [_shrunk(picture) for picture in map(_read, _photographs(folder)) if _usable(picture)]
    drawings = [picture for picture in found if _is_drawing(picture)]
    pictures = [picture for picture in found if not _is_drawing(picture)]
    pictures += drawings[::DRAWINGS_SKIPPED]
    for panorama in sorted((folder / "package" / "hdri").glob("*.exr.js")):
        pictures.append(_tone_mapped(panorama))
    return pictures


def _photographs(folder: Path) -> list[Path]:
    samples = folder / "opencv-doc"
    found = list(samples.rglob("*.jpg"))
    for root in (samples, _package("skimage") / "data", _package("sklearn") / "datasets"):
        found += [path for path in root.rglob("*.[jp][pn]g") if "html" not in path.parts]
    return sorted(path for path in set(found) if not LEFT_OUT.search(path.name))


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed here: see training/README.md")
    return Path(spec.origin).parent


def _read(path: Path) -> Picture | None:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if picture is None else picture.astype(np.uint8)


def _usable(picture: Picture | None) -> bool:
    return picture is not None and min(picture.shape[:2]) > SMALLEST_SIDE


def _is_drawing(picture: Picture) -> bool:
    """Diagrams, pages and screens: most pixels are exactly like their neighbours."""
    beside = np.abs(np.diff(picture.astype(np.int16), axis=1)).max(2)
    return float((beside == 0).mean()) > FLAT_SHARE


def _shrunk(picture: Picture | None) -> Picture:
    assert picture is not None
    scale = LONGEST_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )


def _tone_mapped(path: Path) -> Picture:
    found = re.search(r"base64,([A-Za-z0-9+/=]+)", path.read_text())
    if found is None:
        raise SystemExit(f"{path}: no picture inside")
    encoded = np.frombuffer(base64.b64decode(found.group(1)), np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise SystemExit(f"{path}: no picture that can be read")
    light = np.nan_to_num(np.clip(decoded[..., :3], 0, None), posinf=1e4)
    shown = (light / (np.median(light) * 3 + 1e-6)) ** (1 / 2.2) * 255
    lower: Picture = np.clip(shown, 0, 255).astype(np.uint8)
    return cv2.resize(lower, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
