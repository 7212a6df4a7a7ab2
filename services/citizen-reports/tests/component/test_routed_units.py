"""Units to which routing rules send reports stay while the rules need them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import pytest
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.storage.routing import lock_targets
from tartip.reports.v1 import personnel_pb2 as staff

from .conftest import As, refused
from .test_routing import REGION, activate, after, clean, put_desk, replay, rule, store, unit

__all__ = ["clean", "unit"]


async def test_a_version_is_active_only_while_its_units_exist(
    administrator: As, unit: str, clean: None
) -> None:
    end = after(hours=3)
    await put_desk(administrator, unit, valid_from=after(hours=1), valid_until=end)
    version = await store(administrator, rule(unit=unit))
    await replay(administrator, version)
    for start in (after(minutes=1), after(hours=2)):  # before it begins; beyond its end
        refusal = await refused(activate(administrator, version, active_from=start))
        assert [one.code for one in refusal.fields] == ["UNIT_UNKNOWN"]
    await activate(administrator, 0, active_from=end)
    assert not (await activate(administrator, version, active_from=after(hours=2))).active


async def test_a_unit_stays_while_rules_send_it_reports(
    administrator: As, unit: str, clean: None
) -> None:
    version = await store(administrator, rule(name="own", unit=unit))
    await replay(administrator, version)
    await activate(administrator, version)
    for change in (
        {"valid_until": after(minutes=20)},
        {"kind": staff.UNIT_KIND_DEPARTMENT},
        {"region": "KZ-75"},
    ):
        refusal = await refused(put_desk(administrator, unit, **change))
        assert refusal.code == "UNIT_RECEIVES_REPORTS"
        assert refusal.facts == {"version": str(version), "rule": "own"}
    await put_desk(administrator, unit, name_ru="another name")
    await activate(administrator, 0, active_from=after(minutes=30))
    refusal = await refused(put_desk(administrator, unit, valid_until=after(minutes=20)))
    assert refusal.code == "UNIT_RECEIVES_REPORTS"
    await put_desk(administrator, unit, valid_until=after(minutes=40))


async def test_changes_of_units_and_activations_wait_for_each_other(
    administrator: As, unit: str, clean: None, db: Database
) -> None:
    version = await store(administrator, rule(unit=unit))
    await replay(administrator, version)
    is_locked = asyncio.Event()

    async def after_the_lock(call: Coroutine[Any, Any, object]) -> object:
        await is_locked.wait()
        return await call

    changing = put_desk(administrator, unit, kind=staff.UNIT_KIND_DEPARTMENT)
    both = (after_the_lock(changing), after_the_lock(activate(administrator, version)))
    calls = [asyncio.ensure_future(call) for call in both]
    async with db.begin(SYSTEM) as tx:
        await lock_targets(tx)
        is_locked.set()
        done, _ = await asyncio.wait(calls, timeout=0.5)
    assert not done
    made = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(one, grpc.aio.AioRpcError) for one in made].count(True) == 1


@pytest.mark.parametrize("desk", ["manual", "duty", "traffic"])
async def test_desks_that_the_law_names_stay_under_version_0(administrator: As, desk: str) -> None:
    ending = put_desk(administrator, f"{REGION}-{desk}", valid_until=after(hours=1))
    assert (await refused(ending)).code == "UNIT_RECEIVES_REPORTS"
