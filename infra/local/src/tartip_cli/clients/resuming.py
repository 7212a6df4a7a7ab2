"""Reads long gRPC streams, resuming after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

_ATTEMPTS, _PAUSE_SECONDS = 10, 1.0


async def every_answer(call: Callable[[str], Any]) -> AsyncIterator[Any]:
    """Yield every answer of a gRPC stream once, reopening the stream after an interruption.

    `call` opens the stream at the answer that follows the one with the given resume token; with "",
    at the first. Each answer has a `resume_token`.

    Raises Refusal if a refusal is not temporary, or if more than ten attempts in a row fail.
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
