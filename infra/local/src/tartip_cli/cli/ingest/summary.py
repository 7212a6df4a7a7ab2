"""The table that `tartip ingest` prints at the end: detections by file, and their totals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tartip_cli.cli.console import console
from tartip_cli.cli.ingest.accounts import Account, account_table, words_of
from tartip_cli.cli.ingest.sources import Source

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2 as inference

_SUBJECT = "inference.v1."
_PLATES_SHOWN = 12


@dataclass
class FileSummary:
    """Counts of what was detected in one file. A tracked plate or object counts once, even if
    several frames show it."""

    in_film: bool = False
    shown: str = ""
    """The name to display."""
    frames: int = 0
    plates: dict[str, float] = field(default_factory=dict)
    """For each plate text, the highest confidence (0 to 1) with which it was read."""
    faces: int = 0
    events: Counter[str] = field(default_factory=Counter)
    notes: set[str] = field(default_factory=set)
    """The repairs that the file needed before it could be decoded."""
    _tracks: dict[str, set[int]] = field(default_factory=dict)
    _most_at_once: Counter[str] = field(default_factory=Counter)

    def take(self, result: inference.FrameResult) -> None:
        plate_reads = [event for event in result.events if event.subject.endswith("plate_read")]
        # In a film only the result of an ended track counts: a single frame may be misread.
        if plate_reads or not self.in_film:
            for plate in result.plates:
                self.plates[plate.text] = max(plate.confidence, self.plates.get(plate.text, 0.0))
        now: Counter[str] = Counter()
        for found in result.objects:
            if found.track:
                self._tracks.setdefault(found.label, set()).add(found.track)
            else:
                now[found.label] += 1
        self._most_at_once |= now
        self.notes.update(result.notes)
        self.faces = max(self.faces, len(result.faces))
        self.events.update(kind_of(event) for event in result.events)
        # An ended track has a separate result.
        self.frames += not (self.in_film and plate_reads)

    @property
    def objects(self) -> Counter[str]:
        """The number of objects by label: the number of tracks, plus the largest number of objects
        without a track in any one frame."""
        by_track = Counter({label: len(tracks) for label, tracks in self._tracks.items()})
        return by_track + self._most_at_once

    def line(self) -> str:
        """Return the numbers of plates, objects and events as one line for a progress bar."""
        parts = [f"{len(self.plates)} plates"] if self.plates else []
        parts += [f"{count} {label}" for label, count in self.objects.most_common(3)]
        parts += [f"{self.events.total()} events"] if self.events else []
        return ", ".join(parts)


@dataclass
class Summary:
    files: dict[str, FileSummary] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    _refusals: list[tuple[str, str, str]] = field(default_factory=list)

    def of(self, source: Source) -> FileSummary:
        in_film = source.is_film or source.is_stream
        return self.files.setdefault(source.name, FileSummary(in_film=in_film, shown=source.shown))

    def take(self, source: Source, result: inference.FrameResult) -> None:
        self.of(source).take(result)

    def account(self, source: Source, account: Account) -> None:
        self.accounts[source.shown] = account

    def refuse(self, source: Source, reason: str, says: str) -> None:
        self.refused[reason] += 1
        self._refusals.append((source.shown, reason, says))

    def show(self, copies: Path | None) -> None:
        console.print(self._table())
        if self.accounts:
            console.print(account_table(self.accounts))
        console.print(self._totals(), highlight=False)
        if copies is not None:
            console.print(f"Copies with detections: {copies}", highlight=False)

    def _table(self) -> Table:
        table = Table()
        table.add_column("file", overflow="fold")
        table.add_column("frames", justify="right")
        for header in ("plates", "objects", "events"):
            table.add_column(header, overflow="fold")
        for _, file in sorted(self.files.items()):
            name = f"{file.shown} ({words_of(sorted(file.notes))})" if file.notes else file.shown
            table.add_row(
                Text(name),
                str(file.frames),
                Text(_plates(file.plates)),
                Text(_counts(file.objects, {"face": file.faces})),
                Text(_counts(file.events)),
            )
        for name, reason, says in sorted(self._refusals):
            table.add_row(Text(name), "", Text(f"refused: {reason}", style="red"), Text(says), "")
        return table

    def _totals(self) -> str:
        frames = sum(file.frames for file in self.files.values())
        objects: Counter[str] = sum((file.objects for file in self.files.values()), Counter())
        events: Counter[str] = sum((file.events for file in self.files.values()), Counter())
        parts = [f"{frames} analysed in {len(self.files)} files"]
        parts.append(f"{sum(len(file.plates) for file in self.files.values())} plates")
        parts += [_counts(objects)] if objects else []
        parts.append(f"events: {_counts(events) or 'none'}")
        if self.refused:
            parts.append(f"refused: {_counts(self.refused)}")
        return "; ".join(parts)


def kind_of(event: inference.EmittedEvent) -> str:
    """Return a short description of an event, such as "plate read" or "zone crossed: entered
    (gate)"."""
    subject = event.subject.removeprefix(_SUBJECT).replace("_", " ")
    what = f": {event.what}" if event.what and event.what != subject else ""
    return subject + what + (f" ({event.rule})" if event.rule else "")


def _plates(plates: dict[str, float]) -> str:
    best = sorted(plates.items(), key=lambda plate: -plate[1])
    shown = ", ".join(f"{text} ({confidence:.2f})" for text, confidence in best[:_PLATES_SHOWN])
    rest = len(best) - _PLATES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _counts(counted: Counter[str], more: dict[str, int] | None = None) -> str:
    whole = counted + Counter(more or {})
    return ", ".join(f"{count} {name}" for name, count in whole.most_common())
