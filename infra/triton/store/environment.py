"""Installs Triton's own Python environment: server, runtime and packages with weights."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Final

from store.failures import BuildFailed

HERE: Final = Path(__file__).resolve().parents[1]
PYTHON_VERSIONS: Final = ((3, 11), (3, 12))


def make_environment(target: Path) -> bool:
    """Make the virtual environment `target/venv` with the packages in `requirements.lock`.

    If it was already made from this file with this version of Python, nothing is done and False is
    returned. Raises BuildFailed if the packages cannot be installed.
    """
    lock = HERE / "requirements.lock"
    mark = target / "venv" / "made-from"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = f"{version} {digest(lock)}"
    made = reads(mark)
    if made == wanted:
        return False
    folder = target / "venv"
    if not made.startswith(f"{version} "):
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    run(
        [
            *(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--require-hashes", "-r", str(lock)),
        ],
        failure="pip could not install Triton; is PyPI reachable?",
    )
    stub = site_packages(target) / f"pytriton/tritonserver/python_backend_stubs/{version}"
    backend = site_packages(target) / "pytriton/tritonserver/backends/python"
    stub_name = "triton_python_backend_stub"
    put(stub / stub_name, backend / stub_name)
    mark.write_text(wanted)
    return True


def make_python_library(target: Path) -> bool:
    """Provide libpython, which Triton's stub links against, in `target/libpython`.

    Returns whether anything was done. Nothing is done if `target/libpython` has the library, or if
    Triton's stub finds one in the system (a bare Debian has none). Raises BuildFailed if there is
    no library and Debian's package of it cannot be downloaded.
    """
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


def site_packages(target: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return target / "venv/lib" / version / "site-packages"


def run(
    command: list[str], *, failure: str, folder: Path | None = None, path_first: Path | None = None
) -> str:
    """Run a command in `folder`, with `path_first` first in PATH; return its standard output.

    If the command fails, raises BuildFailed with the text `failure` and the last line of output.
    """
    environment = dict(os.environ)
    if path_first is not None:  # npm starts node by name
        environment["PATH"] = f"{path_first}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise BuildFailed(f"{failure} ({said[-1] if said else result.returncode})")
    return result.stdout


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def reads(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def put(source: Path, target: Path) -> None:
    """Copy a file atomically; processes that have the old target open keep the old content."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    draft.replace(target)


def _debian_library(folder: Path, name: str) -> None:
    """Fetch Debian's own package and unpack it here; that needs no root."""
    package = name.removesuffix(".so.1.0")
    advice = f"{name} is missing: install the package {package} (apt-get install {package})"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise BuildFailed(advice)
    with tempfile.TemporaryDirectory() as scratch:
        run(["apt-get", "download", package], failure=advice, folder=Path(scratch))
        archive = next(Path(scratch).glob("*.deb"))
        run(["dpkg", "-x", str(archive), scratch], failure=advice)
        found = next((path for path in Path(scratch).rglob(name) if path.is_file()), None)
        if found is None:
            raise BuildFailed(advice)
        folder.mkdir(exist_ok=True)
        shutil.copy2(found, folder / name)
