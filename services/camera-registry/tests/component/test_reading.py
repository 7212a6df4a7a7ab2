"""Which rows the register reads for an answer: statistics no camera at all, lists few more than
they answer, under row-level security and however often they were asked before."""

import asyncio
import random
from typing import Any

import asyncpg
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.model.imports import Batch, Row
from camera_registry.model.status import CameraStatus
from camera_registry.storage import search
from camera_registry.storage.search import Filters
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from sqlalchemy import text
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_cli.provision.vehicles import synthetic_iin

from .own_register import ADMINISTRATOR, OwnRegister

IIN = synthetic_iin(random.Random(3))
MANY, PAGE = 4000, 50
ROWS_READ_FOR_A_ROW = 20
# PostgreSQL considers one plan for all values of a statement's parameters from the sixth time on.
TIMES = 8
READ = text(
    "SELECT coalesce(seq_scan, 0) AS scans,"
    " coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows"
    " FROM pg_stat_xact_user_tables WHERE relname = 'cameras'"
)


async def _fill(own: OwnRegister) -> None:
    """Register cameras of which few are drones, and few look for left objects."""
    draw, rows = random.Random(7), []
    for number in range(1, MANY + 1):
        region, latitude, longitude = draw.choice(
            (("KZ-75", 43.24, 76.93), ("KZ-71", 51.17, 71.45))
        )
        is_rare = number % 1000 == 0
        place = common_pb2.Place(
            latitude=latitude + draw.uniform(-0.02, 0.02),
            longitude=longitude + draw.uniform(-0.02, 0.02),
            region=region,
        )
        function = pb.AI_FUNCTION_LEFT_OBJECT if is_rare else pb.AI_FUNCTION_PLATE
        kind = pb.CAMERA_KIND_DRONE if is_rare else pb.CAMERA_KIND_ANPR
        given = own.description(place=place, functions=[function], kind=kind)
        rows.append(Row(number, None, given))
    imports, import_id = Imports(own.db), new_id()
    for batch in (0, 1):
        taken = tuple(rows[batch * 2000 : (batch + 1) * 2000])
        await imports.take(Batch(import_id, batch + 1, taken, b""), ADMINISTRATOR)


async def test_a_list_reads_few_rows_more_than_it_answers(own: OwnRegister, scratch: Any) -> None:
    await _fill(own)
    connection = await asyncpg.connect(scratch.owner)
    await connection.execute("ANALYZE")
    await connection.close()
    asked = (
        Filters(),
        Filters(region="KZ-75"),
        Filters(function=AiFunction.LEFT_OBJECT),
        Filters(function=AiFunction.PLATE),
        Filters(kind=CameraKind.DRONE),
        Filters(kind=CameraKind.FACE),
        Filters(status=CameraStatus.UNKNOWN),
        Filters(status=CameraStatus.ONLINE),
        Filters(serial_or_name="nobody"),
        Filters(owner_iin=IIN),
    )
    of_a_person = await own.camera(owner_bin="", owner_iin=IIN)
    most_read = 0
    for _ in range(TIMES):
        for filters in asked:
            async with own.db.begin(ADMINISTRATOR.scope) as tx:
                known = own.register._known()
                before = (await tx.execute(READ)).one()
                found = await search.page(tx, filters, after=None, size=PAGE, known=known)
                after = (await tx.execute(READ)).one()
            assert after.scans == before.scans, filters
            rows_read = after.rows - before.rows
            assert rows_read <= ROWS_READ_FOR_A_ROW * max(len(found), 1), filters
            most_read = max(most_read, rows_read)
            assert not filters.owner_iin or [each.camera_id for each in found] == [of_a_person]
    assert most_read >= PAGE, "PostgreSQL counts"


async def test_statistics_are_answered_to_many_callers_without_a_look_at_the_cameras(
    own: OwnRegister, scratch: Any
) -> None:
    for _ in range(3):
        await own.camera()
    connection = await asyncpg.connect(scratch.owner)
    async with connection.transaction():
        await connection.execute("LOCK TABLE camera_registry.cameras IN ACCESS EXCLUSIVE MODE")
        answers = await asyncio.gather(*(own.statistics() for _ in range(32)))
    await connection.close()
    for [counts] in answers:
        assert counts.of("registered").total() == 3
