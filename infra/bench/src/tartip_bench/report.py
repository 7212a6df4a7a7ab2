"""Writes docs/BENCH.md: the results of the bench, the machine, and which targets were missed.

Each part of the bench has a section. A run of some parts replaces only the sections of these parts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tartip_bench.outcomes import Figure, Outcome

_HEAD = """# Speed, memory and endurance

Written by `make bench` (`tartip bench`), all parts or some (`make bench ONLY=chassis`); every
figure is measured, none is typed in. The bench starts a mesh of its own (the engines, and the
services that a part needs), measures and takes it away. What stands beside each other ran in
alternating pairs in the same run, on the same parts; of several measurements the median is given,
with the least and the greatest.
"""
_SECTION = re.compile(r"<!-- part: (\w+) -->\n(.*?)(?=\n<!-- part: |\n## What misses)", re.DOTALL)
_MISSED = "**missed**"


def written(
    outcomes: Sequence[Outcome], checkout: Path, *, quick: bool, order: Sequence[str]
) -> Path:
    """Write the sections of these outcomes into docs/BENCH.md, and return its path. The sections
    state whether the run was quick (`quick`). `order` holds the names of all parts of the bench, in
    the order of their sections."""
    path = checkout / "docs" / "BENCH.md"
    known = path.read_text() if path.exists() else ""
    path.write_text(page(outcomes, quick=quick, order=order, known=known))
    return path


def page(outcomes: Sequence[Outcome], *, quick: bool, order: Sequence[str], known: str = "") -> str:
    """Return the text of docs/BENCH.md. It has new sections for `outcomes`; the sections of all
    other parts are copied from the previous text `known`. The new sections state whether the run
    was quick (`quick`). `order` holds the names of all parts in the order of their sections."""
    sections: dict[str, str] = dict(_SECTION.findall(known))
    sections |= {outcome.part: _section(outcome, quick=quick) for outcome in outcomes}
    shown = {part: sections[part] for part in order if part in sections}
    parts = [f"<!-- part: {part} -->\n{section}" for part, section in shown.items()]
    return "\n".join([_HEAD, *parts, _misses(shown)])


def machine() -> str:
    """Return a text that states the number of cores, the memory, and whether there is an NVIDIA
    GPU."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = "with" if Path("/dev/nvidia0").exists() else "without"
    return f"{cores} cores and {memory:.0f} GiB of memory, {gpu} a GPU"


def _misses(sections: Mapping[str, str]) -> str:
    missed = [
        f"- {section.partition(chr(10))[0].removeprefix('## ')}: {row}"
        for section in sections.values()
        for row in _missed_rows(section)
    ]
    return "## What misses its target\n\n" + ("\n".join(missed) or "Nothing.") + "\n"


def _missed_rows(section: str) -> list[str]:
    found = []
    for line in section.splitlines():
        if line.endswith(f"{_MISSED} |"):
            name, measured, _, target, _ = (cell.strip() for cell in _cells(line))
            found.append(f"{name} is {measured}, aimed at: {target}.")
    return found


def _cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row)[1:-1]


def _section(outcome: Outcome, *, quick: bool) -> str:
    kind = "quick" if quick else "full"
    run = f"A {kind} run of {outcome.seconds / 60:.0f} minutes on {machine()}."
    rows = ["| figure | measured | bare | target | |", "|---|---|---|---|---|"]
    rows += [_row(figure) for figure in outcome.figures]
    notes = "".join(f"\n{note}\n" for note in outcome.notes)
    return f"## {outcome.title}\n\n{run}\n\n" + "\n".join(rows) + "\n" + notes


def _row(figure: Figure) -> str:
    verdict = {True: "met", False: _MISSED, None: ""}[figure.met]
    cells = (figure.name, figure.measured, figure.bare, figure.target, verdict)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
