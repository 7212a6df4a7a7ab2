"""Rotates the log files of the parts while the parts run, and reads logs across a rotation.

A log file larger than LOG_BYTES is copied and then emptied, since its part keeps the file open.
Lines written after the copying and before the emptying are lost. Three old copies are kept; the
newest copy of `fines.log` is `fines.log.1`.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 20 * 1024 * 1024
OLD_LOGS = 3
TURN_SECONDS = 5.0
"""The time between two checks of the sizes of the logs."""
_HALF_LINE_WAITS = 200
_CHUNK_BYTES = 1024 * 1024
_TAIL_BYTES = 8192
_FOLLOW_SECONDS = 0.2

log = logging.getLogger(__name__)


def turn_over(path: Path, *, max_bytes: int = LOG_BYTES) -> bool:
    """Rotate the log if it is larger than `max_bytes`. Returns whether it was rotated.

    Raises no error. If the log cannot be copied, the error is logged and the log stays as it is.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
        draft = _move_content(path)
        for number in range(OLD_LOGS - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                old_log(path, number).rename(old_log(path, number + 1))
        draft.rename(old_log(path, 1))
    except OSError as error:
        log.error("%s cannot be turned over: %s", path.name, error)
        return False
    return True


def old_log(path: Path, number: int) -> Path:
    """Return the path of the old copy with this number; the newest copy of `fines.log` is
    `fines.log.1`."""
    return path.with_name(f"{path.name}.{number}")


def read_log(path: Path, *, count: int, follow: bool = False) -> Iterator[str]:
    """Yield the last `count` lines of a log. If the log has fewer lines, some come from its newest
    old copy.

    With `follow`, then wait for new lines and yield them, without end. Raises OSError if the log
    cannot be read.
    """
    with path.open("rb") as file:
        lines = deque(_lines_from(old_log(path, 1), 0), maxlen=count)
        lines.extend(_text(line) for line in file)
        position = file.tell()
    yield from lines
    while follow:
        if path.stat().st_size < position:
            yield from _lines_from(old_log(path, 1), position)
            position = 0
        for line in _whole_lines_from(path, position):
            position += len(line)
            yield _text(line)
        time.sleep(_FOLLOW_SECONDS)


def last_line(path: Path) -> str:
    """Return the last line of a log that is not blank. It usually states why the part failed.

    The line is cut off after 300 characters. If there is no such line or no log, a text says so.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = _text(file.read()).strip().splitlines()
    except OSError:
        return "no log"
    return lines[-1].strip()[:300] if lines else "it wrote nothing"


def _whole_lines_from(path: Path, position: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(position)
        yield from itertools.takewhile(lambda line: line.endswith(b"\n"), file)


def _lines_from(path: Path, position: int) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(position)
        yield from (_text(line) for line in file)


def _move_content(path: Path) -> Path:
    """Move the content of a file that others append to into a new file beside it."""
    draft = path.with_name(f"{path.name}.new")
    try:
        with path.open("rb") as source, draft.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            for piece in _pieces(source):
                target.write(piece)
                target.flush()
            os.truncate(path, 0)
    except OSError:
        draft.unlink(missing_ok=True)  # on a full disk, for instance
        raise
    return draft


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file, with what is written meanwhile, up to the end of a line.

    Of a line that crosses a page a reader may see the first half alone for a moment.
    """
    last, waits = b"\n", 0
    while waits < _HALF_LINE_WAITS:
        if piece := source.read(_CHUNK_BYTES):
            yield piece
            last, waits = piece[-1:], 0
        elif last == b"\n":
            return
        else:
            waits += 1
            time.sleep(0.001)


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
