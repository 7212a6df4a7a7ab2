"""Runs health probes with a time limit, and decides when an unhealthy part must be restarted."""

from __future__ import annotations

import asyncio

from tartip_cli.failures import Failure
from tartip_cli.parts.health import Condition, Health, Probe, silent

PROBE_SECONDS = 5.0
"""The longest that a probe may take, and the pause after one that found a part ready."""
AGAIN_SECONDS = 1.0
"""The pause after a probe that found anything else."""
BROKEN_AFTER_PROBES = 2
"""A part is restarted after this many probes in a row that find it broken."""
_REASON_CHARACTERS = 300


class Judge:
    """Decides whether a part must be restarted, from the probes of one run of the part.

    The part must be restarted if several probes in a row get no answer, or find it broken. A part
    that answers but is not ready is not restarted, since it waits for something else.
    """

    def __init__(self, hung_after_probes: int) -> None:
        self._limits = {
            Condition.SILENT: hung_after_probes,
            Condition.BROKEN: BROKEN_AFTER_PROBES,
        }
        self._last = Condition.READY
        self._in_a_row = 0

    def verdict(self, health: Health) -> str | None:
        """Take the result of the newest probe. Returns why the part must be restarted, or None."""
        self._in_a_row = self._in_a_row + 1 if health.condition is self._last else 1
        self._last = health.condition
        limit = self._limits.get(health.condition)
        if limit is None or self._in_a_row < limit:
            return None
        if health.condition is Condition.SILENT:
            return f"it is hung: no answer to {limit} probes in a row ({health.reason})"
        return f"it is broken: {health.reason}"


async def health_by(probe: Probe) -> Health:
    """Run a probe and return the health that it finds.

    If the probe times out or raises an error, the result is Condition.SILENT: the part does not
    answer. Only a Failure is re-raised.
    """
    try:
        return await asyncio.wait_for(probe(), PROBE_SECONDS)
    except Failure:
        raise
    except TimeoutError:
        raise_if_cancelled()
        return silent("no answer in time")
    except Exception as error:  # any error of a library means: no answer
        raise_if_cancelled()
        return silent(_in_a_line(error))


def raise_if_cancelled() -> None:
    """Raise CancelledError if the current task was cancelled.

    Call this function when handling other errors: a library may have replaced CancelledError by an
    error of its own.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _in_a_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    said = lines[0][:_REASON_CHARACTERS] if lines else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
