"""What a description of a camera may hold is checked by the register alone, so that REST and gRPC
refuse the same, and all of it at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from operator_gateway.camera_schemas import (
    CameraDescription,
    CameraDescriptionRequest,
    ChangeCamera,
    RegisterCamera,
    RetireCamera,
)
from operator_gateway.mapping import to_message
from tartip.cameras.v1 import cameras_pb2

LIMITS = {"maxLength", "minLength", "maxItems", "minItems", "pattern", "minimum", "maximum"}
LIMITS |= {"exclusiveMinimum", "exclusiveMaximum"}
# What no message can hold, or what is no part of a description.
OTHERS = {"device_key", "dedupe_seconds", "retention_days", "camera_id", "version"}
AS_LONG_AS_MAY_BE: dict[str, Any] = {
    "name": "n" * 200,
    "place": {"latitude": 43.24, "longitude": 76.95, "region": "KZ-75", "address": "a" * 500},
    "kind": "anpr",
    "serial": "s" * 200,
    "make": "m" * 200,
    "model": "m" * 200,
    "certificate_number": "c" * 200,
    "owner_bin": "100140000003",
    "verifications": [
        {
            "number": "v" * 200,
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2300-01-01T00:00:00Z",
        }
    ],
}


def limits(schema: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a JSON schema that limit values, and how."""
    if isinstance(schema, dict):
        yield from ((name, key) for key in LIMITS & schema.keys())
        for key, value in schema.items():
            inner = value.items() if key in ("properties", "$defs") else [(name, value)]
            for each, part in inner:
                yield from limits(part, each)
    elif isinstance(schema, list):
        for part in schema:
            yield from limits(part, name)


@pytest.mark.parametrize("body", [RegisterCamera, ChangeCamera, RetireCamera])
def test_the_gateway_limits_nothing_that_the_register_checks(body: Any) -> None:
    found = {name for name, _ in limits(body.model_json_schema())}
    assert found <= OTHERS
    assert body is RetireCamera or found, "limits are found where they are"


def test_the_longest_description_of_the_contract_passes_the_gateway() -> None:
    given = CameraDescriptionRequest.model_validate(AS_LONG_AS_MAY_BE)
    message = to_message(given.model_dump(), cameras_pb2.CameraDescription)
    assert len(message.serial) == 200
    assert message.verifications[0].valid_until.seconds > 10**10


def test_no_answer_has_a_password() -> None:
    stream = cameras_pb2.CameraStream(name="main", password="secret", has_password=True)
    given = cameras_pb2.CameraDescription(streams=[stream])
    plain = CameraDescription.of(given).model_dump_json()
    assert "secret" not in plain and "password" in plain


def test_a_request_shows_neither_password_nor_iin_where_it_is_printed() -> None:
    streams = [{"name": "main", "url": "rtsp://a", "role": "main", "password": "secret"}]
    more = {"owner_bin": "", "owner_iin": "123456789012", "streams": streams}
    given = repr(CameraDescriptionRequest.model_validate(AS_LONG_AS_MAY_BE | more))
    assert "secret" not in given and "123456789012" not in given
