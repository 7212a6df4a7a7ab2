"""Errors of the command line. Each has a message of one line and an exit code.

A `Failure` is printed without a traceback. Errors of the operating system are converted to a
`Failure`; if the remedy is obvious (full disk, read-only folder), the message states it.
"""

from __future__ import annotations

import enum
import errno
from pathlib import Path


class Exit(enum.IntEnum):
    """The exit codes of all `tartip` commands; `tartip --help` explains them."""

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
    COPIED_FOLDER = 13


EXIT_CODES_HELP = """Exit codes: 0 done; 1 unexpected error; 2 wrong usage; 3 the mesh already runs;
4 a port is taken; 5 a folder cannot be written; 6 the disk is full; 7 something is missing on this
machine (Python, a library, a package); 8 a part did not start; 9 the mesh does not run;
10 nothing found; 11 the mesh refused something (its name is printed); 12 a finding that a person
must check; 13 the data folder is a copy, or its database is in use by another mesh."""


class Failure(Exception):
    """An error with an exit code. Its one-line message says what is wrong and what to do."""

    def __init__(self, message: str, code: Exit = Exit.UNEXPECTED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def from_os_error(error: OSError) -> Failure:
    """Convert an operating system error to a Failure. For a full disk or a path that cannot be
    written, and for a time-out, the message says what to do. For other errors, it only describes
    the error."""
    if isinstance(error, TimeoutError):
        return Failure(
            "a part of the mesh did not answer in time, or this machine is overloaded: look at the "
            f"logs in the data folder, and start again{_in_brackets(error)}",
            Exit.PART_FAILED,
        )
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
            return Failure(f"{place}: {error.strerror or str(error) or type(error).__name__}")


def _in_brackets(error: OSError) -> str:
    return f" ({error})" if str(error) else ""


def broken_file(path: Path, why: str) -> Failure:
    """Return a Failure with the message that a file is damaged, and `why`. The message advises to
    restore the file from a backup, since data would be lost with a new file."""
    return Failure(f"{path} is broken: {why}; restore it from a backup", Exit.FINDINGS)


def from_group(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of an exception group to report: the first `Failure` in it or in a nested
    group. If there is no `Failure`, return the first error."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, Failure)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
