"""Restricts this process, irrevocably, to reading files in given folders; it can open no others.

Uses Landlock of Linux (5.13 and later), which needs no privilege. Files that are open stay open.
"""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 1 << 2, 1 << 3
# The file operations that a version of Landlock can refuse, as bits: 13 in version 1; version 2
# added moving between folders, version 3 truncating.
_FILES_OF_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1}
_FILES: Final = (1 << 15) - 1
_TCP: Final = 0b11
_TCP_SINCE: Final = 4


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def allow_reading_only(folders: Iterable[str]) -> bool:
    """Allow this process only to read and execute files in these folders; since version 4, also
    deny TCP. Return whether the kernel enforces this. `no_new_privs` must be set before."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    network = _TCP if version >= _TCP_SINCE else 0
    ruleset = _Ruleset(_FILES_OF_VERSION.get(version, _FILES), network)
    size = ctypes.sizeof(ruleset) if network else ctypes.sizeof(ctypes.c_uint64)
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if rules < 0:
        return False
    try:
        for folder in filter(os.path.isdir, folders):
            _allow(libc, rules, folder)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, folder: str) -> None:
    with suppress(OSError):
        handle = os.open(Path(folder), os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(_EXECUTE | _READ_FILE | _READ_DIR, handle)
            libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(handle)
