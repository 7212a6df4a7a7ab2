"""Measures the gateway's search for a face among a million templates, compared with an exact search
over 32-bit floats."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.run import Run

TEMPLATES = 1_000_000
MILLISECONDS = 50.0
RECALL = 0.999
MEMORY_SHARE = 0.55
"""Half, and a margin for the other data of a gallery."""
_SECONDS = 600


async def measure(run: Run) -> Outcome:
    queries = 2000  # with fewer, a single miss would decide about 99.9 %
    run.report(f"{queries} searches among {TEMPLATES:,} templates")
    timing = await _timing(queries)
    share = timing["memory_mib"] / timing["bare_memory_mib"]
    return Outcome(
        part="search",
        title=f"A face among {timing['templates']:,} templates, one thread, {queries} searches",
        figures=(
            Figure(
                name="a search, median",
                measured=f"{timing['median_ms']:.1f} ms (p95 {timing['p95_ms']:.1f} ms)",
                bare=f"{timing['bare_median_ms']:.1f} ms (p95 {timing['bare_p95_ms']:.1f} ms)",
                target=f"under {MILLISECONDS:.0f} ms",
                met=timing["median_ms"] < MILLISECONDS,
            ),
            Figure(
                name="memory",
                measured=f"{timing['memory_mib']:.0f} MiB",
                bare=f"{timing['bare_memory_mib']:.0f} MiB",
                target="half",
                met=share <= MEMORY_SHARE,
            ),
            Figure(
                name="nearest found beside exact floats",
                measured=f"{timing['recall']:.2%}",
                target=f"at least {RECALL:.1%}",
                met=timing["recall"] >= RECALL,
            ),
            Figure(
                name="same verdict as exact floats",
                measured=f"{timing['decided_alike']:.2%}",
            ),
        ),
        notes=(
            "Bare is one product of matrix and vector in 32-bit floats by NumPy. Templates are "
            "drawn; half of the searches are for somebody known, half for strangers.",
        ),
        raw=timing,
    )


async def _timing(queries: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{INFERENCE_GATEWAY.package}.watchlists.timing",
        "--templates",
        str(TEMPLATES),
        "--queries",
        str(queries),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # One thread each, as in the search of a frame: other cores work on other frames.
        env={**inherited_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    out, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
    if process.returncode != 0:
        raise Failure(f"the search could not be timed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    timing: dict[str, Any] = json.loads(out)
    return timing
