"""Confines a process that examines a file: bounds on memory and time, no network, no files.

The kernel enforces all of it. The network is taken away by a network namespace without interfaces,
in a user namespace, so that no privilege is needed; the files by Landlock. Where the kernel refuses
namespaces, Landlock still refuses TCP (Linux 6.7 and later), and an audit hook refuses sockets to
Python code alone: code that a hostile file runs inside a decoder is not stopped by the hook.
"""

import ctypes
import os
import resource
import sys
from typing import Any, Final

from citizen_reports.examination.landlock import allow_reading_only
from citizen_reports.model.media_kinds import LARGEST, MIB

# Of address space: with libraries, a picture of 50 million pixels and its upright copy.
MEMORY_BYTES: Final = 1024 * MIB
CPU_SECONDS: Final = 30
FILES: Final = 64
# Of a file in memory: the original or the clean form, which may be a little longer.
FILE_BYTES: Final = LARGEST + 8 * MIB
_NICE: Final = 5
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGKILL: Final = 9
# Beside what Python itself is read from: libraries of the system.
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib")
_REFUSED: Final = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def confine() -> bool:
    """Confine this process for good; return whether the kernel denies it both network and files.

    Call this before any library starts threads: only a process with a single thread may enter a
    user namespace.
    """
    for kind, bound in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),  # what was uploaded is not left in a core file
    ):
        resource.setrlimit(kind, (bound, bound))
    os.nice(_NICE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    has_no_network = bool(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)
    has_no_files = allow_reading_only((*sys.path, *_LIBRARIES))
    sys.addaudithook(_refuse)
    return has_no_network and has_no_files


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event} is refused where files are examined")
