"""Officers and postings from a CSV file, sent to the running service citizen-reports.

A line has the columns of COLUMNS. An officer who is known by his log-in, or else by his badge, is
changed; any other is added. A posting that lasts already is not added again, so that a file that
was sent in part can be sent once more.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.clock import new_id, to_timestamp
from tartip.reports.v1 import personnel_pb2 as pb

from tartip_cli.failures import Exit, Failure

COLUMNS = ("log_in", "badge", "family_kk", "given_kk", "family_ru", "given_ru", "unit", "since")
TIMEOUT_SECONDS = 10
_PAGE = 200


@dataclass(frozen=True)
class Line:
    """An officer in a file, without his id, and the posting that his line tells."""

    officer: pb.Officer
    unit: str
    since: datetime


@dataclass
class Sent:
    """How many officers of a file were added and changed, and how many postings were added."""

    added: int = 0
    changed: int = 0
    posted: int = 0


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a CSV file. Raises Failure, which names the file and the line, if a
    column is missing or a date is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_lines(path, csv.DictReader(file)))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", Exit.USAGE) from None


def _lines(path: Path, rows: csv.DictReader[str]) -> Iterator[Line]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise Failure(f"{path} has no column {', '.join(missing)}", Exit.USAGE)
    for number, row in enumerate(rows, start=2):
        given = {name: (row[name] or "").strip() for name in COLUMNS}
        try:
            since = datetime.fromisoformat(given["since"]).replace(tzinfo=UTC)
        except ValueError:
            raise Failure(f"{path}, line {number}: since is no date", Exit.USAGE) from None
        officer = pb.Officer(
            log_in=given["log_in"],
            badge=given["badge"],
            kk=pb.OfficerName(family=given["family_kk"], given=given["given_kk"]),
            ru=pb.OfficerName(family=given["family_ru"], given=given["given_ru"]),
        )
        yield Line(officer, given["unit"], since)


async def send(stub: Any, lines: list[Line], on_progress: Callable[[int], None]) -> Sent:
    """Add or change the officers of these lines and their postings. `on_progress` is called with
    the number of lines that are done. The stub raises what the service refuses."""
    known = {key: officer for officer in await every_officer(stub) for key in _keys(officer)}
    sent = Sent()
    for done, line in enumerate(lines, start=1):
        found = next((known[key] for key in _keys(line.officer) if key in known), None)
        officer = pb.Officer()
        officer.CopyFrom(line.officer)
        officer.officer_id = found.officer_id if found else str(new_id())
        if found is None or not _same(found, officer):
            if found is None:
                sent.added += 1
            else:
                sent.changed += 1
            request = pb.PutOfficerRequest(request_id=str(new_id()), officer=officer)
            found = (await stub.PutOfficer(request, timeout=TIMEOUT_SECONDS)).officer
        sent.posted += await _post(stub, found, line)
        known |= dict.fromkeys(_keys(found), found)
        on_progress(done)
    return sent


async def every_officer(stub: Any, unit: str = "") -> list[pb.Officer]:
    """Return all officers, or those who serve or served in `unit`."""
    request, found = pb.ListOfficersRequest(unit=unit), list[pb.Officer]()
    request.page.size = _PAGE
    while True:
        answer = await stub.ListOfficers(request, timeout=TIMEOUT_SECONDS)
        found += answer.officers
        if not answer.next_page_token:
            return found
        request.page.token = answer.next_page_token


async def _post(stub: Any, officer: pb.Officer, line: Line) -> bool:
    """Add the posting of a line unless it lasts already; return whether it was added."""
    if not line.unit or any(
        posting.unit == line.unit and not posting.HasField("ends_at")
        for posting in officer.postings
    ):
        return False
    posting = pb.Posting(
        posting_id=str(new_id()), unit=line.unit, starts_at=to_timestamp(line.since)
    )
    request = pb.AddPostingRequest(officer_id=officer.officer_id, posting=posting)
    await stub.AddPosting(request, timeout=TIMEOUT_SECONDS)
    return True


def _keys(officer: pb.Officer) -> list[str]:
    named = (("log_in", officer.log_in), ("badge", officer.badge))
    return [f"{name}:{value}" for name, value in named if value]


def _same(one: pb.Officer, other: pb.Officer) -> bool:
    fields = ("log_in", "badge", "kk", "ru")
    return all(getattr(one, name) == getattr(other, name) for name in fields)
