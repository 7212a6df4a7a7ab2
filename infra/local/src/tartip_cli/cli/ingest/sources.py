"""The files and addresses given on the command line, and the signed readings for them."""

from __future__ import annotations

import base64
import glob
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vision.containers import START_BYTES, container_of, picture_format_of

from tartip_cli.failures import Exit, Failure

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2 as inference

_FILMS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"}
)
_RTSP = ("rtsp://", "rtsps://")


@dataclass(frozen=True)
class Source:
    """A file or an RTSP address to analyse. The field `path` is None for an address or a missing
    file."""

    name: str
    path: Path | None
    missing: str = ""
    """Why there is nothing to analyse; empty if there is."""

    @cached_property
    def is_film(self) -> bool:
        """Whether the source is a film file. Either its content is a video container, or its name
        ends like a film's and its content is not a picture."""
        if self.path is None:
            return False
        start = _start_of(self.path)
        named = self.path.suffix.lower() in _FILMS and not picture_format_of(start)
        return named or container_of(start) is not None

    @property
    def is_stream(self) -> bool:
        return self.path is None and not self.missing

    def lies_in(self, folder: Path) -> bool:
        return self.path is not None and self.path.resolve().parent == folder.resolve()

    @property
    def shown(self) -> str:
        """The name to display; an address is shown without user and password."""
        if self.path is not None:
            return self.path.name
        scheme, _, rest = self.name.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}" if rest else self.name


def sources_of(given: list[str]) -> list[Source]:
    """Return the files and RTSP addresses given on the command line, in order. A name may also be a
    folder or a glob pattern. A name that yields no file is returned too, with the reason in
    `missing`.

    Raises Failure if no name yields anything to analyse.
    """
    found: list[Source] = []
    for name in given:
        address = name.strip()
        is_stream = address.lower().startswith(_RTSP)
        found += [Source(address, None)] if is_stream else _files(name)
    if all(source.missing for source in found):
        raise Failure("; ".join(source.missing for source in found), Exit.NOT_FOUND)
    return found


def _start_of(path: Path) -> bytes:
    """The first bytes of a file; empty if it cannot be read, which is reported when it is sent."""
    try:
        with path.open("rb") as file:
            return file.read(START_BYTES)
    except OSError:
        return b""


def _files(name: str) -> list[Source]:
    path = Path(name)
    if path.is_dir():
        files = sorted(entry for entry in path.iterdir() if entry.is_file())
    elif path.is_file():
        files = [path]
    else:
        matches = sorted(glob.glob(name))  # noqa: PTH207 (a pattern may be absolute)
        files = [Path(match) for match in matches if Path(match).is_file()]
    if files:
        return [Source(str(file), file) for file in files]
    why = f"no pictures in {name}" if path.is_dir() else f"there is no file {name}"
    return [Source(name, None, missing=why)]


@dataclass(frozen=True)
class SourceReadings:
    """Signed readings from a JSON file. The field `of_one` is set if the file has one object, for
    one picture. The field `by_name` is set if the file maps file names to such objects."""

    of_one: dict[str, Any] | None = None
    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> SourceReadings:
        if path is None:
            return cls()
        try:
            content = json.loads(path.read_text())
            if "signature" in content:
                return cls(of_one=dict(content))
            return cls(by_name={name: dict(readings) for name, readings in content.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise Failure(f"{path} is not a JSON object of signed readings", Exit.USAGE) from error

    def in_order(self, sources: list[Source]) -> list[Source]:
        """Return the sources in the order in which the device signed the readings, by the counter
        in the readings. Sources without readings come first. Raises Failure if readings are
        malformed."""

        def counter(source: Source) -> int:
            signed = self.of(source.path) if source.path is not None else None
            return 0 if signed is None else signed.readings.counter

        return sorted(sources, key=counter)

    def of(self, path: Path) -> inference.SignedReadings | None:
        from tartip.inference.v1 import inference_pb2 as inference

        from tartip_cli.clients.readings import from_json

        found = self.of_one or self.by_name.get(path.name)
        if found is None:
            return None
        values = dict(found)
        try:
            signature = base64.b64decode(values.pop("signature"), validate=True)
            return inference.SignedReadings(readings=from_json(values), signature=signature)
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(
                f"the readings of {path.name} lack fields that a device signs: {error}", Exit.USAGE
            ) from error
