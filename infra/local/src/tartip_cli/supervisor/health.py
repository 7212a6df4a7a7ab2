"""Runs health probes with a time limit; any error of a probe counts as no answer."""

from __future__ import annotations

import asyncio
import logging

from tartip_cli.failures import Failure
from tartip_cli.parts.part import Probe

PROBE_SECONDS = 5.0

log = logging.getLogger(__name__)


async def answers(probe: Probe) -> bool:
    return await verdict_of(probe) is True


async def verdict_of(probe: Probe) -> bool | None:
    """The probe's answer; None if it timed out or raised an error. A Failure is re-raised."""
    try:
        return await asyncio.wait_for(probe(), PROBE_SECONDS)
    except Failure:
        raise
    except Exception as error:  # any error of a library means: no answer
        raise_if_cancelled()
        log.debug("probe: %r", error)
        return None


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled: a library may have replaced the cancellation
    by an error of its own."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
