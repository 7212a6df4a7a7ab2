"""Checks that the mesh can run here: system, Python and C library versions, packages."""

from __future__ import annotations

import importlib.util
import platform
import sys

from tartip_cli.failures import Exit, Failure

_GLIBC = (2, 35)
_PYTHONS = ((3, 11), (3, 12))


def require_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Failure(
            f"this is {sys.platform} on {platform.machine()}: the embedded parts are for Linux "
            "on x86-64; set TARTIP_DATABASE_URL, TARTIP_NATS_URL and TARTIP_TRITON_URL to outside "
            "ones",
            Exit.MISSING_REQUIREMENT,
        )
    if sys.version_info[:2] not in _PYTHONS:
        raise Failure(
            f"this is Python {platform.python_version()}: make .venv with Python 3.11 or 3.12",
            Exit.MISSING_REQUIREMENT,
        )
    library, version = platform.libc_ver()
    if library == "glibc" and tuple(int(part) for part in version.split(".")[:2]) < _GLIBC:
        raise Failure(
            f"this system has glibc {version}, Triton needs 2.35 or later (Debian 12, Ubuntu "
            "22.04): use a newer system, or set TARTIP_TRITON_URL to a Triton elsewhere",
            Exit.MISSING_REQUIREMENT,
        )


def require_packages(packages: tuple[str, ...]) -> None:
    """Raise Failure if one of these Python packages is not installed. `make setup` installs all
    packages."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(
            f"not installed here: {', '.join(missing)}; run `make setup`",
            Exit.MISSING_REQUIREMENT,
        )
