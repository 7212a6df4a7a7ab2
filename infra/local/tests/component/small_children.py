"""Children that misbehave on demand: a line of Python each, with a journal of what they lived."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from tartip_cli.parts.health import READY, Health, Probe
from tartip_cli.parts.part import Part

_PREFACE = """
import os, signal, subprocess, sys, time
journal, name = sys.argv[1:]
def note(what):
    with open(journal, "a") as file:
        file.write(f"{name} {what} {time.monotonic()}\\n")
def lives():
    return sum(line.startswith(f"{name} started") for line in open(journal))
note("started")
"""
PAUSE = "while True: signal.pause()"
STOPS = f"""
def stop(*_):
    note("stopped")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
note("listens")
{PAUSE}
"""
DEAF = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); note('listens')\n{PAUSE}"


class Journal:
    """What the children of one test wrote, in the order in which it happened."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.path.touch()

    def lines(self, name: str, what: str) -> list[float]:
        """When this child said so, in seconds of the monotonic clock."""
        entries = [line.split() for line in self.path.read_text().splitlines()]
        return [float(at) for who, event, at in entries if (who, event) == (name, what)]

    def order_of(self, what: str) -> list[str]:
        entries = [line.split() for line in self.path.read_text().splitlines()]
        return [who for who, event, _ in entries if event == what]

    def said(self, name: str, what: str) -> Callable[[], bool]:
        return lambda: bool(self.lines(name, what))


def child(
    journal: Journal,
    script: str,
    *,
    name: str = "child",
    address: str = "127.0.0.1:1",
    probe: Probe | None = None,
) -> Part:
    """Ready as soon as it runs, or when the given probe says so."""
    return Part(
        name=name,
        address=address,
        command=(sys.executable, "-c", _PREFACE + script, str(journal.path), name),
        log=journal.path.with_name(f"{name}.log"),
        probe=probe or _is_ready,
    )


async def until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def _is_ready() -> Health:
    return READY
