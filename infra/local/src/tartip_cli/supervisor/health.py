"""What a part says of its health, within a time and whatever its probe does."""

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
    """What the probe says; nothing when it could not say anything in time."""
    try:
        return await asyncio.wait_for(probe(), PROBE_SECONDS)
    except Failure:
        raise
    except Exception as error:  # any library's error means the same: no answer
        raise_if_cancelled()
        log.debug("probe: %r", error)
        return None


def raise_if_cancelled() -> None:
    """A library may answer a cancellation with an error of its own; it must not get lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
