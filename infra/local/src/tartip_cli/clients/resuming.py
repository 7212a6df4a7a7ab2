"""Reads long gRPC streams, resuming after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

_ATTEMPTS, _PAUSE_SECONDS = 10, 1.0


async def every_answer(call: Callable[[str], Any]) -> AsyncIterator[Any]:
    """Yield every answer of a gRPC stream once, reopening the stream after an interruption.

    Each answer has a `resume_token`. `call` gets the token of the last received answer, and opens
    the stream after that answer. With the token "", `call` opens the stream at its beginning.

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
