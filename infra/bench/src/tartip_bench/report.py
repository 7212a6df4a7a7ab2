"""docs/BENCH.md: the results of the bench, the machine, and what misses its target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tartip_bench.outcomes import Figure, Outcome

_HEAD = """# Speed, memory and endurance

Written by `make bench` (`tartip bench`); every figure is measured, none is typed in. The bench
starts a mesh of its own (PostgreSQL, NATS, Triton, the register of cameras, the inference gateway),
measures and takes it away. What stands beside each other ran in alternating pairs in the same run,
on the same parts; of several measurements the median is given, with the least and the greatest.
"""


def written(outcomes: Sequence[Outcome], checkout: Path, *, quick: bool) -> Path:
    path = checkout / "docs" / "BENCH.md"
    path.write_text(page(outcomes, quick=quick))
    return path


def page(outcomes: Sequence[Outcome], *, quick: bool) -> str:
    took = sum(outcome.seconds for outcome in outcomes) / 60
    kind = "quick" if quick else "full"
    parts = [_HEAD, f"This was a {kind} run of {took:.0f} minutes on {machine()}.\n"]
    parts += [_section(outcome) for outcome in outcomes]
    missed = [
        f"- {outcome.title}: {figure.name} is {figure.measured}, aimed at: {figure.target}."
        for outcome in outcomes
        for figure in outcome.figures
        if figure.met is False
    ]
    parts.append("## What misses its target\n\n" + ("\n".join(missed) or "Nothing.") + "\n")
    return "\n".join(parts)


def machine() -> str:
    """The machine's cores and memory, without its name."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores and {memory:.0f} GiB of memory, without a GPU"


def _section(outcome: Outcome) -> str:
    rows = ["| figure | measured | bare | target | |", "|---|---|---|---|---|"]
    rows += [_row(figure) for figure in outcome.figures]
    notes = "".join(f"\n{note}\n" for note in outcome.notes)
    return f"## {outcome.title}\n\n" + "\n".join(rows) + "\n" + notes


def _row(figure: Figure) -> str:
    verdict = {True: "met", False: "**missed**", None: ""}[figure.met]
    cells = (figure.name, figure.measured, figure.bare, figure.target, verdict)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
