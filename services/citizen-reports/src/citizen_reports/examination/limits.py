"""Confines the child process: limited memory and time, no network, no files but Python's own.

The kernel enforces these limits. A network namespace without interfaces, in a user namespace so
that no privilege is needed, denies the network; Landlock denies files. If the kernel refuses
namespaces, Landlock still denies TCP (Linux 6.7 and later). An audit hook denies sockets to Python
code too, but cannot stop native code that a hostile file may run inside a decoder.
"""

import ctypes
import os
import resource
import sys
from typing import Any, Final

from citizen_reports.examination.landlock import allow_reading_only
from citizen_reports.model.media_kinds import LARGEST, MIB

# The limit of address space: libraries, a picture of 50 million pixels and its upright copy fit.
MEMORY_BYTES: Final = 1024 * MIB
CPU_SECONDS: Final = 30
FILES: Final = 64
# The limit of a file in memory: the original, or the clean form, which may be a little larger.
FILE_BYTES: Final = LARGEST + 8 * MIB
_NICE: Final = 5
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGKILL: Final = 9
# The system's libraries, which this process may read in addition to `sys.path`.
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib")
_REFUSED: Final = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def confine() -> bool:
    """Confine this process irrevocably. Return whether the kernel denies both network and files;
    the limits of memory and time hold in any case. Call this before a library starts threads: only
    a process with one thread may enter a user namespace.
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
