"""What a scenario is: a name, what it tries, what to do where it fails, and how it is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tartip_partner_contract.stage import Stage


@dataclass(frozen=True)
class Scenario:
    """`name` is stable, `about` is what is tried, `remedy` what to do where it fails. `play` raises
    Wrong."""

    name: str
    about: str
    remedy: str
    play: Callable[[Stage], Awaitable[None]]
