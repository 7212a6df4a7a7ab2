"""Hooks for `PlayedTartip` that several scenarios use."""

from collections.abc import Collection

from tartip_partner_contract.tartip import Hook, PlayedTartip, ReceivedCall


def lose_first_answers(tartip: PlayedTartip, methods: Collection[str]) -> Hook:
    """After the first call of each method was carried out: cut, so that its answer is lost."""
    lost: set[str] = set()

    async def after(call: ReceivedCall) -> None:
        if call.method in methods and call.method not in lost:
            lost.add(call.method)
            tartip.relay.cut()

    return after
