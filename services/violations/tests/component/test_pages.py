"""A page token of the list of violations is its caller's, for the query that it is of."""

from collections.abc import Callable
from typing import Any

from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.paging import assert_token_is_bound

from .callers import Publisher


async def test_violations(
    as_: Callable[..., Any],
    inspector: Any,
    publisher: Publisher,
    new_camera: Callable[..., Any],
    plate_read: Callable[..., Any],
    violations_of: Callable[..., Any],
) -> None:
    for camera in (new_camera(), new_camera(), new_camera()):
        await publisher.read(plate_read(by=camera))
        await violations_of(camera.camera_id)
    supervisor = as_(operator="supervisor-almaty")
    await assert_token_is_bound(
        lambda asked: inspector.call("ListViolations", asked),
        pb.ListViolationsRequest(region="KZ-75"),
        by_others=lambda asked: supervisor.call("ListViolations", asked),
        other_query=pb.ListViolationsRequest(),
    )
