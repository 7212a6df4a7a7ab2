"""Errors of the command line: one line and an exit code each.

A `Failure` is printed as it is and never with a traceback. Errors of the operating system that
have an obvious way out (full disk, read-only folder) are translated here, in one place.
"""

from __future__ import annotations

import enum
import errno
from pathlib import Path


class Exit(enum.IntEnum):
    """Exit codes of every `tartip` command; documented in `tartip --help`."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    ALREADY_RUNNING = 3
    PORT_TAKEN = 4
    FOLDER_NOT_WRITABLE = 5
    DISK_FULL = 6
    MISSING_REQUIREMENT = 7
    PART_FAILED = 8
    NOT_RUNNING = 9
    NOT_FOUND = 10
    REFUSED = 11
    FINDINGS = 12


EXIT_CODES_HELP = """Exit codes: 0 done; 1 unexpected error; 2 wrong usage; 3 the mesh already runs;
4 a port is taken; 5 a folder cannot be written; 6 the disk is full; 7 something is missing on this
machine (Python, a library, a package); 8 a part did not start; 9 the mesh does not run;
10 nothing found; 11 the mesh refused something (its name is printed); 12 something was found that
a person must look at."""


class Failure(Exception):
    """One clear line that says what is wrong and what to do."""

    def __init__(self, message: str, code: Exit = Exit.UNEXPECTED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def from_os_error(error: OSError) -> Failure:
    """Translate an operating system error into a line with the way out."""
    place = error.filename or "the data folder"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Failure(
                f"the disk is full (writing {place}): free some space, or set TARTIP_HOME to a "
                "folder on another disk",
                Exit.DISK_FULL,
            )
        case errno.EROFS | errno.EACCES | errno.EPERM | errno.ENOENT | errno.ENOTDIR:
            return Failure(
                f"cannot write {place} ({error.strerror}): make it writable, or set TARTIP_HOME "
                "to a folder of yours",
                Exit.FOLDER_NOT_WRITABLE,
            )
        case _:
            return Failure(f"{place}: {error.strerror or error}")


def broken_file(path: Path, why: str) -> Failure:
    """What was made once and never is again: without it, what it protects would be lost."""
    return Failure(f"{path} is broken: {why}; put its copy back", Exit.FINDINGS)


def from_group(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report: a `Failure` if there is one, else the first leaf."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, Failure)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
