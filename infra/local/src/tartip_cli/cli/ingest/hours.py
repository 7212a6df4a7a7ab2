"""Determines when a film started. This is the time given by the user, else the time stored in the
file, else the current time less the film's length."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tartip_cli.failures import Exit, Failure

EARLIEST: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""Earlier creation times come from clocks that were never set (1904 or 1970)."""


class By(StrEnum):
    """The possible sources of a film's start time."""

    USER = "given"
    FILE = "the file's own creation time"
    ARRIVAL = "now, less its length"


@dataclass(frozen=True)
class Began:
    at: dt.datetime
    by: By


def parse_hour(text: str, *, now: dt.datetime) -> dt.datetime:
    """Parse a time in RFC 3339 and return it in UTC. A time without an offset is Almaty time.
    Raises Failure if the time is malformed or after `now`."""
    from law.zone import start_of

    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Failure(
            f"--taken-at {text} is not a time: give one such as 2026-11-27T18:30:00 (Almaty) or "
            "2026-11-27T13:30:00Z",
            Exit.USAGE,
        ) from error
    if moment.tzinfo is None:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = start_of(moment.date()) + (moment - midnight)
    if moment > now:
        raise Failure(f"--taken-at {text} is in the future", Exit.USAGE)
    return moment.astimezone(dt.UTC)


def began(path: Path, given: dt.datetime | None, *, now: dt.datetime) -> Began:
    """Return the start time of a film, and the source of this time. The start time is `given`; else
    the creation time in the file, if plausible; else `now` less the film's length. If `given` is
    None, the call reads the whole file and blocks the calling thread meanwhile."""
    if given is not None:
        return Began(given, By.USER)
    seconds, created = _measured(path)
    length = dt.timedelta(seconds=seconds)
    if created is not None and EARLIEST <= created <= now - length:
        return Began(created, By.FILE)
    return Began(now - length, By.ARRIVAL)


def _measured(path: Path) -> tuple[float, dt.datetime | None]:
    """The length in seconds and the creation time; zero and None if the file is not a film."""
    import av
    from vision.containers import START_BYTES, container_of
    from vision.packets import timed

    with path.open("rb") as file:
        demuxer = container_of(file.read(START_BYTES))
        file.seek(0)
        if demuxer is None:
            return 0.0, None
        try:
            with av.open(file, format=demuxer) as container:
                return timed(container).end, _created(container.metadata)
        except (av.FFmpegError, ValueError, IndexError):
            return 0.0, None


def _created(tags: dict[str, str]) -> dt.datetime | None:
    try:
        created = dt.datetime.fromisoformat(tags.get("creation_time", ""))
    except ValueError:
        return None
    return created if created.tzinfo else created.replace(tzinfo=dt.UTC)
