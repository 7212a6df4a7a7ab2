"""Shows progress on standard error: how many files are finished, and what was detected in each
film.

On a terminal it shows progress bars; otherwise it prints a line every few seconds.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich import progress as bars

from tartip_cli.cli.console import errors
from tartip_cli.cli.ingest.sources import Source

if TYPE_CHECKING:
    from tartip_cli.cli.ingest.summary import FileSummary

_LINE_SECONDS = 5.0


class Progress:
    """Shows the progress of one run of `tartip ingest` while its `with` block runs."""

    def __init__(self, sources: list[Source]) -> None:
        self._shown = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.TaskProgressColumn(),
            bars.TextColumn("{task.fields[rate]}", style="dim"),
            bars.TimeRemainingColumn(compact=True),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._all = self._shown.add_task("files", total=len(sources), rate="")
        self._many = len(sources)
        self._began = time.monotonic()
        self._began_at: dict[str, float] = {}
        self._films: dict[str, bars.TaskID] = {}
        self._done = self._looked = 0
        self._line_at = self._began + _LINE_SECONDS

    def __enter__(self) -> Progress:
        self._shown.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shown.stop()

    def looked(self, source: Source, share: float, summary: FileSummary) -> None:
        """Show that another frame of `source` was analysed: `share` (0 to 1) is the part of the
        file that is done, `summary` holds what was detected so far."""
        self._looked += 1
        if source.is_film or source.is_stream:
            began = self._began_at.setdefault(source.name, time.monotonic())
            passed = max(time.monotonic() - began, 1e-3)
            rate = f"{summary.frames / passed:.1f} frames/s  {summary.line()}"
            self._bar(source, share, rate)
            self._line(f"{source.shown}: {share:.0%}, {rate}")
        else:
            passed = max(time.monotonic() - self._began, 1e-3)
            rate = f"{self._looked / passed:.1f} pictures/s"
            self._shown.update(self._all, rate=rate)
            self._line(f"{self._done} of {self._many} files, {rate}")

    def drawing(self, source: Source) -> None:
        if source.is_film:
            self._bar(source, 0.0, "drawing")

    def drawn(self, source: Source, share: float) -> None:
        self._bar(source, share, "drawing")
        self._line(f"{source.shown}: drawing, {share:.0%}")

    def ended(self, source: Source) -> None:
        self._done += 1
        self._shown.advance(self._all)
        bar = self._films.pop(source.name, None)
        if bar is not None:
            self._shown.remove_task(bar)

    def _bar(self, source: Source, share: float, rate: str) -> None:
        if source.name not in self._films:
            self._films[source.name] = self._shown.add_task(source.shown, total=1.0, rate="")
        # A file of unknown length gets a pulsing bar instead of one at zero.
        total = 1.0 if share else None
        self._shown.update(self._films[source.name], completed=share, total=total, rate=rate)

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if not errors.is_terminal and now >= self._line_at:
            self._line_at = now + _LINE_SECONDS
            errors.print(text, highlight=False, markup=False)
