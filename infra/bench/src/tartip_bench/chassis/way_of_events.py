"""Measures the rate of events through the chassis, and compares it with bare publishing and
consuming. An event goes from the outbox row to the row that the consumer's handler inserts.

The publishing and the consuming side run in separate processes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment

from tartip_bench.outcomes import Figure, Spread
from tartip_bench.run import Run

EVENTS_FULL, EVENTS_QUICK = 10_000, 3_000
SHARE = 0.6
WHAT = "an event from outbox row through JetStream to inbox row and effect"


async def measured(run: Run, config: Path, rounds: int) -> tuple[list[Figure], dict[str, Any]]:
    """Return the figures of `rounds` rounds, and the measured rates. The rates are events per
    second: of bare publishing, of bare consuming, and through the chassis. A figure is the rate
    through the chassis divided by the lower of the two bare rates. `config` is the servers'
    configuration file. Raises Failure if a side ends with an error."""
    count = run.sized(full=EVENTS_FULL, quick=EVENTS_QUICK)
    rates: dict[str, list[float]] = {"publish": [], "consume": [], "ours": []}
    for number in range(rounds):
        run.report(f"events, round {number + 1} of {rounds}")
        for role in ("publish", "consume"):
            began, ended = await _moments(role, config, count)
            rates[role].append(count / (ended - began))
        await _moments("fill", config, count)
        published, handled = await asyncio.gather(
            _moments("relay", config, count), _moments("handle", config, count)
        )
        rates["ours"].append(count / (handled[1] - published[0]))
    return _figures(rates), {"events": rates}


def _figures(rates: dict[str, list[float]]) -> list[Figure]:
    bare = {way: Spread.of(rates[way]).text(0) for way in ("publish", "consume")}
    share = Spread.of(
        [
            ours / min(publish, consume)
            for publish, consume, ours in zip(*rates.values(), strict=True)
        ]
    )
    return [
        Figure(
            name=f"{WHAT}: events a second",
            measured=Spread.of(rates["ours"]).text(0),
            bare=f"publish {bare['publish']}, consume {bare['consume']}",
        ),
        Figure(
            name=f"{WHAT}: share of the slower bare side",
            measured=share.text(2),
            target=f"at least {SHARE}",
            met=share.median >= SHARE,
        ),
    ]


async def _moments(role: str, config: Path, count: int) -> tuple[float, float]:
    side = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tartip_bench.chassis.events",
        role,
        str(config),
        str(count),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited_environment(),
    )
    out, errors = await side.communicate()
    if side.returncode != 0:
        raise Failure(f"{role} failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    began, ended = json.loads(out.splitlines()[-1])
    return began, ended
