"""What a process that examines a file may use: the bounds that it is started with, and no network.

The bounds are the kernel's. The network is taken away by a network namespace without interfaces, in
a user namespace, so that no privilege is needed. Where the kernel refuses namespaces, sockets are
refused to Python code alone, by an audit hook: code that a hostile file runs inside a decoder is
not stopped by that.
"""

import ctypes
import os
import resource
import sys
from typing import Any, Final

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
_REFUSED: Final = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def confine() -> bool:
    """Bound this process for good; return whether the kernel took its network away.

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
    sys.addaudithook(_refuse)
    return has_no_network


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event} is refused where files are examined")
