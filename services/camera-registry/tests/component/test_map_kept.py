"""The kept counts of cells are those that the migration makes of the cameras at once."""

import importlib.util
from typing import Any

import asyncpg
from camera_registry.usecases.tally import Tally
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .conftest import MIGRATIONS
from .own_register import ADMINISTRATOR, OwnRegister


def migration() -> Any:
    spec = importlib.util.spec_from_file_location(
        "cell_counts", MIGRATIONS / "versions" / "0019_cell_counts.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_counts_of_a_register_from_before_are_those_of_its_cameras(
    own: OwnRegister, scratch: Any
) -> None:
    far = common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71")
    for functions in ([], [pb.AI_FUNCTION_PLATE]):
        for kind in (pb.CAMERA_KIND_OVERVIEW, pb.CAMERA_KIND_ANPR):
            camera = await own.camera(kind=kind, functions=functions)
            await own.camera(kind=kind, functions=functions)
            await own.change(camera, kind=kind, functions=functions, place=far)
    await own.beat(await own.camera(kind=pb.CAMERA_KIND_OVERVIEW, functions=[]))
    await own.register.retire(camera, reason="", caller=ADMINISTRATOR)
    tally = Tally(own.db)
    async with tally.alone() as lease:
        await tally.fold(lease)
    connection = await asyncpg.connect(
        scratch.provisioner, server_settings={"search_path": "camera_registry"}
    )
    kept = await connection.fetch(
        "SELECT * FROM camera_cell_counts WHERE count <> 0 ORDER BY cell, kind, status, functions"
    )
    await connection.execute("TRUNCATE camera_cell_counts")
    for statement in migration().FROM_CAMERAS:
        await connection.execute(statement)
    made = await connection.fetch(
        "SELECT * FROM camera_cell_counts ORDER BY cell, kind, status, functions"
    )
    await connection.close()
    assert len(kept) > 20
    assert kept == made
