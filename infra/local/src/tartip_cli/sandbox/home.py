"""The data folder of a sandbox: what marks it as one, and the offset of its clock.

The clock is only moved forward, also over restarts. A folder with data of an ordinary mesh never
becomes a sandbox, and an ordinary mesh never runs from the folder of a sandbox.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.data_dir import DataDir, write_private
from tartip_cli.failures import Exit, Failure, broken_file

_OFFSET = "clock_offset_seconds"


@dataclass(frozen=True)
class SandboxHome:
    """The data folder of a sandbox, at `path`."""

    path: Path

    @property
    def partners(self) -> Path:
        """The folder with the certificates and keys of the test partners, and the authority of the
        servers, `ca.pem`."""
        return self.path / "partners"

    def claim(self) -> None:
        """Mark the folder as a sandbox's; it is created if it does not exist. Raises Failure if it
        has other data."""
        if self._marker.exists():
            return
        if self.path.exists() and any(self.path.iterdir()):
            raise Failure(
                f"{self.path} holds the data of an ordinary mesh, or of something else: set "
                "TARTIP_HOME to an empty folder for the sandbox",
                Exit.USAGE,
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(dt.timedelta())

    def offset(self) -> dt.timedelta:
        """Return by how much the clock was moved. Raises Failure if the file is damaged."""
        try:
            return dt.timedelta(seconds=float(json.loads(self._marker.read_text())[_OFFSET]))
        except (ValueError, KeyError, TypeError) as error:
            raise broken_file(self._marker, "it has no offset of the clock") from error

    def move_clock(self, by: dt.timedelta) -> dt.timedelta:
        """Add to the offset of the clock, and return the new offset. Raises ValueError unless `by`
        is forward."""
        if by <= dt.timedelta():
            raise ValueError("the clock of a sandbox moves forward alone")
        offset = self.offset() + by
        self._write(offset)
        return offset

    @property
    def _marker(self) -> Path:
        return DataDir(self.path).sandbox

    def _write(self, offset: dt.timedelta) -> None:
        write_private(self._marker, json.dumps({_OFFSET: offset.total_seconds()}).encode())
