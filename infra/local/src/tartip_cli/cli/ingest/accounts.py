"""Accounts for the seconds of each film: how many were analysed, how many were left out, and why.
The accounts are printed as a table and as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from law.zone import in_almaty
from rich.table import Table
from rich.text import Text

from tartip_cli.cli.ingest.hours import Began

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2 as inference

NOTES: Final = {
    "deinterlaced": "deinterlaced",
    "pixels_squared": "pixels made square",
    "stamps_bridged": "time stamps bridged",
    "start_moved": "began earlier than given",
    "end_marker_added": "repaired: its end marker was missing",
}


@dataclass(frozen=True)
class Account:
    """How many seconds of one film were analysed and how many were left out. The field `summary`
    holds these numbers, as the gateway states them. The field `began` is the film's start time,
    with the source of this time."""

    summary: inference.FilmSummary
    began: Began


def account_as_json(account: Account) -> dict[str, Any]:
    summary = account.summary
    return {
        "offered_seconds": summary.offered_seconds,
        "looked_at_seconds": summary.looked_at_seconds,
        "left_out_seconds": dict(summary.left_out_seconds),
        "discontinuities": summary.discontinuities,
        "notes": list(summary.notes),
        "started_at": summary.started_at.ToJsonString(),
        "started_at_by": account.began.by.value,
    }


def account_table(accounts: dict[str, Account]) -> Table:
    """Return a table with one row per film. The keys of `accounts` are the file names to
    display."""
    table = Table(title="seconds of film", title_justify="left")
    table.add_column("film", overflow="fold")
    for header in ("offered", "looked at"):
        table.add_column(header, justify="right")
    for header in ("left out", "began (Almaty)", "notes"):
        table.add_column(header, overflow="fold")
    for name, account in sorted(accounts.items()):
        summary = account.summary
        table.add_row(
            Text(name),
            f"{summary.offered_seconds:.1f}",
            f"{summary.looked_at_seconds:.1f}",
            Text(_left_out(summary)),
            Text(_began(account)),
            Text(words_of(summary.notes)),
        )
    return table


def words_of(notes: Iterable[str]) -> str:
    return ", ".join(NOTES.get(note, note) for note in notes)


def _left_out(summary: inference.FilmSummary) -> str:
    reasons = sorted(summary.left_out_seconds.items(), key=lambda item: -item[1])
    parts = [f"{seconds:.1f} {reason.replace('_', ' ')}" for reason, seconds in reasons]
    if summary.discontinuities:
        parts.append(f"{summary.discontinuities} × time stamps restarted")
    return ", ".join(parts) or "nothing"


def _began(account: Account) -> str:
    moment = in_almaty(account.summary.started_at.ToDatetime(dt.UTC))
    return f"{moment:%Y-%m-%d %H:%M:%S} ({account.began.by.value})"
