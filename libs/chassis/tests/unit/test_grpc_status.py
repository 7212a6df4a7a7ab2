"""A refusal reaches its caller however many fields were wrong."""

import base64

import grpc
import pytest
from chassis.grpc_status import DETAILS_KEY, from_error, to_status
from chassis.refusals import BadRequest, FieldError, ShareExceeded
from google.rpc import error_details_pb2

TRAILER_BYTES_MAX = 8192


@pytest.mark.parametrize("count", [1, 20, 50, 3000])
def test_a_status_fits_into_a_trailer(count: int) -> None:
    wrong = tuple(
        FieldError(f"description.verifications[{index}].valid_until", "BAD_REQUEST", "Ә" * 60)
        for index in range(count)
    )
    status = to_status(BadRequest(fields=wrong))
    assert len(base64.b64encode(status.SerializeToString())) < TRAILER_BYTES_MAX
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    told = bad.field_violations
    assert told[0].field == wrong[0].field
    left = int(told[-1].description.split()[0]) if told[-1].field == "…" else 1
    assert len(told) - 1 + left == count


def test_a_refusal_says_when_to_try_again_and_a_peer_passes_it_on() -> None:
    status = to_status(ShareExceeded("calls_per_second", 50.0, 0.0201))
    retry = error_details_pb2.RetryInfo()
    assert [each.Unpack(retry) for each in status.details].count(True) == 1
    assert retry.retry_delay.ToMilliseconds() == 21
    trailer = grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString()))
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailer, "", "")
    passed_on = from_error(error)
    assert passed_on.reason == "SHARE_EXCEEDED"
    assert passed_on.facts == {"limit": "calls_per_second", "limit_value": "50"}
    assert passed_on.retry_seconds == 0.021
