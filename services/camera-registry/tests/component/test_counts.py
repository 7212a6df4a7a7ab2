"""The statistics equal a full count of the register after every step, folded or not."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from camera_registry.model.camera import INTERVAL
from camera_registry.model.status import CameraStatus
from camera_registry.storage.counts import RegionCounts, total
from camera_registry.usecases.tally import Tally
from chassis.identity import Caller, Operator
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

STEPS = 120
ASTANA = Caller("service", "operator-gateway", Operator("cameras-2", frozenset(), ("KZ-71",)))
PLACES = (("KZ-75", 43.24, 76.95), ("KZ-71", 51.17, 71.45))


class Walk:
    """Random changes of a register, and a full count of its rows."""

    def __init__(self, own: OwnRegister, database: str, draw: random.Random) -> None:
        self.own = own
        self.draw = draw
        self.cameras: list[UUID] = []
        self._database = database
        self._tally = Tally(own.db)

    async def step(self) -> None:
        options = [self.register, self.register, self.beat, self.judge, self.fold]
        if self.cameras:
            options += [self.change, self.change, self.retire]
        await self.draw.choice(options)()

    async def register(self) -> None:
        self.cameras.append(await self.own.camera(**self._given()))

    async def change(self) -> None:
        await self.own.change(self.draw.choice(self.cameras), **self._given())

    async def retire(self) -> None:
        gone = self.cameras.pop(self.draw.randrange(len(self.cameras)))
        await self.own.register.retire(gone, reason="", caller=ADMINISTRATOR)

    async def beat(self) -> None:
        heard = self.draw.sample(self.cameras, len(self.cameras) // 2)
        conditions = {camera: self.draw.randint(1, 4) for camera in heard}
        for hub in self.own.hubs.values():
            await self.own.report(hub, conditions)

    async def judge(self) -> None:
        self.own.now += timedelta(seconds=self.draw.choice((1, 60, 2 * INTERVAL.total_seconds())))
        await self.own.judge(self.draw.choice((None, self.own.start)))

    async def fold(self) -> None:
        async with self._tally.alone() as lease:
            await self._tally.fold(lease)

    async def counted(self) -> dict[tuple[str, str, str], Counter[CameraStatus]]:
        """The numbers of cameras by region, property, value and status: of every row."""
        connection = await asyncpg.connect(self._database)
        rows = await connection.fetch(
            "SELECT * FROM camera_registry.cameras WHERE retired_at IS NULL"
        )
        await connection.close()
        found: dict[tuple[str, str, str], Counter[CameraStatus]] = {}
        for row in rows:
            properties = [("registered", ""), ("kind", row["kind"])]
            properties += [("connected", "")] * row["connected"]
            properties += [("with_ai", "")] * bool(row["functions"])
            properties += [("function", name) for name in row["functions"]]
            properties += [("site_category", row["site_category"])] * bool(row["site_category"])
            for name, value in properties:
                key = (row["region"], name, value)
                found.setdefault(key, Counter())[CameraStatus(row["status"])] += 1
        return found

    def _given(self) -> dict[str, Any]:
        draw = self.draw
        region, latitude, longitude = draw.choice(PLACES)
        functions = draw.sample((pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD), draw.randrange(3))
        return {
            "place": common_pb2.Place(latitude=latitude, longitude=longitude, region=region),
            "kind": draw.choice((pb.CAMERA_KIND_OVERVIEW, pb.CAMERA_KIND_ANPR)),
            "functions": functions,
            "connected": draw.random() < 0.5,
            "site": "Station",
            "site_category": draw.choice((0, pb.SITE_CATEGORY_STRATEGIC)),
        }


@pytest.mark.parametrize("seed", range(3))
async def test_statistics_equal_a_full_count_after_every_step(
    own: OwnRegister, scratch: Any, seed: int
) -> None:
    walk = Walk(own, scratch.provisioner, random.Random(seed))
    for _ in range(STEPS):
        await walk.step()
        regions = await own.statistics()
        counted = await walk.counted()
        assert _flat(regions) == counted
        here = {key: numbers for key, numbers in counted.items() if key[0] == "KZ-71"}
        assert _flat(await own.counted.of("", caller=ASTANA)) == here
    assert total(regions).of("registered").total() == len(walk.cameras)


async def test_an_answer_is_made_anew_only_when_a_count_has_changed(own: OwnRegister) -> None:
    camera = await own.camera()
    first = await own.statistics()
    await own.beat(camera)
    second = await own.statistics()
    assert second is not first
    async with Tally(own.db).alone() as lease:
        await Tally(own.db).fold(lease)
    assert await own.statistics() is second
    # Nobody looks any more: what was online is unknown, though no count has changed.
    own.now += INTERVAL
    [unwatched] = await own.statistics()
    assert unwatched.of("registered") == Counter({CameraStatus.UNKNOWN: 1})


def _flat(regions: list[RegionCounts]) -> dict[tuple[str, str, str], Counter[CameraStatus]]:
    return {
        (region.region, *key): numbers
        for region in regions
        for key, numbers in region.by_status.items()
    }
