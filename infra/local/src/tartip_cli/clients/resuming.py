"""Reads long gRPC streams, resuming after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

_ATTEMPTS, _PAUSE_SECONDS = 10, 1.0


async def every_answer(call: Callable[[str], Any]) -> AsyncIterator[Any]:
    """Yield every answer of a stream once. `call` opens the stream after the given resume token, ""
    for the beginning.

    Answers have a `resume_token`. Raises permanent refusals, and others after ten in a row.
    """
    from chassis.channels import refusals_of
    from chassis.refusals import Refusal

    from tartip_cli.clients.journeys import PASSING

    token, broken = "", 0
    while True:
        try:
            async for answer in refusals_of(call(token)):
                token, broken = answer.resume_token, 0
                yield answer
            return
        except Refusal as refusal:
            broken += 1
            if refusal.kind not in PASSING or broken > _ATTEMPTS:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
