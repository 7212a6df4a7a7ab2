"""The verdict of the child process that examines a file: a line of JSON, which is followed by the
first frame of a film and by the clean form.

A hostile file may control the child process, so `read_verdict` checks every value.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from citizen_reports.model.findings import Finding, Reason, Taken
from citizen_reports.model.media_kinds import FAMILY_OF, LARGEST, TYPES, Family

LINE_MAX = 4096
# The largest first frame of a film in bytes; one with nothing but noise has a third of this.
FRAME_MAX = 8 * 1024 * 1024


class BeyondLimits(Exception):
    """Decoding the file would take more memory or time than one file may take."""


@dataclass(frozen=True)
class Verdict:
    """The result of examining a file. If the file cannot be used, `reason` is the code of the
    refusal and `finding` is None; otherwise `reason` is "". `frame_bytes` and `clean_bytes` are the
    sizes of the first frame and of the clean form, which follow the verdict.

    `is_confined` says whether the kernel denied network and files to the child process.
    """

    finding: Finding | None
    reason: str = ""
    clean_bytes: int = 0
    is_confined: bool = False
    frame_bytes: int = 0

    def line(self) -> bytes:
        """Return the verdict as a line of JSON, without the first frame."""
        taken = self.finding.taken if self.finding else Taken()
        return (
            json.dumps(
                {
                    "reason": self.reason,
                    "content_type": self.finding.content_type if self.finding else "",
                    "clean_type": self.finding.clean_type if self.finding else "",
                    "clean_bytes": self.clean_bytes,
                    "frame_bytes": self.frame_bytes,
                    "taken_at": taken.at.isoformat() if taken.at else "",
                    "latitude": taken.latitude,
                    "longitude": taken.longitude,
                    "is_confined": self.is_confined,
                }
            ).encode()
            + b"\n"
        )


def read_verdict(line: bytes) -> Verdict:
    """Parse a line that `Verdict.line` wrote. Raises ValueError if a value in it is not valid."""
    try:
        told: dict[str, Any] = json.loads(line)
        reason = str(told["reason"])
        clean_bytes, frame_bytes = int(told["clean_bytes"]), int(told["frame_bytes"])
        is_confined = told["is_confined"] is True
        types = (str(told["content_type"]), str(told["clean_type"]))
        if reason:
            known = reason if reason in set(Reason) else Reason.NOT_A_PICTURE
            return Verdict(None, known, is_confined=is_confined)
        frame_max = FRAME_MAX if FAMILY_OF.get(types[0]) is Family.FILM else 0
        if not (0 < clean_bytes <= LARGEST and 0 <= frame_bytes <= frame_max):
            raise ValueError("no sizes")
        if not TYPES.issuperset(types):
            raise ValueError("no finding")
        finding = Finding(*types, taken=_taken(told))
        return Verdict(finding, "", clean_bytes, is_confined, frame_bytes)
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError("no verdict") from error


def _taken(told: dict[str, Any]) -> Taken:
    at = datetime.fromisoformat(told["taken_at"]) if told["taken_at"] else None
    if at is not None and at.tzinfo is None:
        raise ValueError("a time without a zone")
    latitude, longitude = told["latitude"], told["longitude"]
    if latitude is None or longitude is None:
        return Taken(at)
    latitude, longitude = float(latitude), float(longitude)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("no place")
    return Taken(at, latitude, longitude)
