"""A refusal reaches its caller however many fields were wrong."""

import base64

import pytest
from chassis.grpc_status import to_status
from chassis.refusals import BadRequest, FieldError
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
