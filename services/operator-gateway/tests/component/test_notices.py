"""The notices on every page, also before signing in: a trial is marked as one."""

from datetime import datetime, timedelta
from typing import Any

from chassis.clock import clock_offset, system_clock
from law.notices import notices
from law.yearly import read_yearly_tables


async def test_the_moment_of_the_mesh_and_what_is_not_in_earnest_are_told_to_all(
    gateway: Any,
) -> None:
    async with gateway.client() as client:
        answer = await client.get("/v1/notices")
    assert answer.status_code == 200
    body = answer.json()
    apart = datetime.fromisoformat(body["now"]) - system_clock()
    assert abs(apart) < timedelta(seconds=30)
    expected = notices(system_clock(), read_yearly_tables(assume_years=True), clock_offset())
    assert [one["code"] for one in body["notices"]] == [one.code for one in expected]
    for told, one in zip(body["notices"], expected, strict=True):
        assert (told["kk"], told["ru"], told["en"]) == (
            one.message.kk,
            one.message.ru,
            one.message.en,
        )
        assert told["facts"] == dict(one.facts)
