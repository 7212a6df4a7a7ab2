"""A decided violation that is changed behind the service's back is named."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from chassis.clock import new_id
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

Prepared = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture
async def database(engines: RunningTestMesh, service: str) -> AsyncIterator[Any]:
    """As the database's administrator, past row security."""
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute("SET search_path = violations")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def confirmed(inspector: Any, violation_id: str, prepared: Prepared) -> str:
    await inspector.call("ConfirmViolation", await prepared(violation_id))
    return violation_id


async def test_what_was_decided_is_as_it_was_decided(
    engines: RunningTestMesh, confirmed: str, as_: Callable[..., Any]
) -> None:
    supervisor = as_(operator="supervisor-almaty")
    request = pb.AnnulViolationRequest(
        violation_id=confirmed, decision_id=str(new_id()), reason="the plate is another one"
    )
    await supervisor.call("AnnulViolation", request)
    assert not about(await served_differences(engines, "violations"), confirmed)


CHANGES = {
    "moment": ("violations", "occurred_at = occurred_at - interval '1 hour'", ""),
    "offence": ("violations", "offence_code = 'RED_LIGHT'", ""),
    "speed": ("violations", "readings = readings || '{\"speed_kmh\": 150}'", ""),
    "plate": ("violations", "plate_index = '\\x00'", ""),
    "officer": ("decisions", "officer = 'inspector-astana'", " (confirm)"),
    "signature": ("decisions", "signature = '\\x00'", " (confirm)"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_behind_the_services_back_is_named(
    engines: RunningTestMesh, confirmed: str, database: Any, change: tuple[str, str, str]
) -> None:
    table, assignment, kind = change
    await database.execute(f"UPDATE {table} SET {assignment} WHERE violation_id = $1", confirmed)
    [found] = about(await served_differences(engines, "violations"), confirmed)
    assert found.startswith(f"violation:{confirmed}{kind}: its fields are not those that ")


def about(found: set[str], violation_id: str) -> set[str]:
    return {line for line in found if violation_id in line}
