"""A decision signed with a revoked certificate is refused by name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .callers import refused

OFFICER = "inspector-almaty"
MET_SECONDS = 3 * 60.0


async def test_a_revoked_officers_signature_decides_nothing_within_a_minute(
    inspector: Any,
    violation_id: str,
    prepared: Callable[..., Awaitable[Any]],
    engines: RunningTestMesh,
) -> None:
    request = await prepared(violation_id)
    engines.certificates.revoke("officer", OFFICER, reason="the card was lost")
    engines.certificates.issue([("officer", OFFICER)])
    # Nothing is decided by it, whether the list was read or not.
    unsigned = pb.ConfirmViolationRequest()
    unsigned.CopyFrom(request)
    unsigned.signature = b"no signature"
    async with asyncio.timeout(MET_SECONDS):
        while True:
            code = (await refused(inspector.call("ConfirmViolation", unsigned))).code
            if code != "SIGNATURE_WRONG":
                break
            await asyncio.sleep(0.5)
    assert code == "CERTIFICATE_REVOKED"
    assert (await refused(inspector.call("ConfirmViolation", request))).code == code
    confirmed = await inspector.call("ConfirmViolation", await prepared(violation_id))
    assert confirmed.violation.state == pb.VIOLATION_STATE_CONFIRMED
