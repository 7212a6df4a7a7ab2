"""Every wrong field is told at once, and a refusal crosses the wire under its own name."""

import grpc
import pytest
from chassis.grpc_status import DETAILS_KEY, from_error, to_status
from chassis.refusals import BadRequest, IdReused, Kind, checks


def test_all_wrong_fields_are_told_at_once() -> None:
    with pytest.raises(BadRequest) as refused, checks() as check:
        check.that(False, "place", "is required", code="PLACE_REQUIRED")
        check.that(False, "text", "must have at most 4000 characters")
        check.that(True, "category", "is fine")
    assert [error.field for error in refused.value.fields] == ["place", "text"]
    assert refused.value.reason == "BAD_REQUEST"


def test_a_single_wrong_field_gives_the_refusal_its_name() -> None:
    with pytest.raises(BadRequest) as refused, checks() as check:
        check.wrong("place", "is required", code="PLACE_REQUIRED")
    assert refused.value.reason == "PLACE_REQUIRED"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_own_meaning_on_both_transports(kind: Kind) -> None:
    assert isinstance(kind.grpc_status, grpc.StatusCode)
    assert 400 <= kind.http_status < 600


def test_a_refusal_survives_the_wire() -> None:
    with pytest.raises(BadRequest) as refused, checks() as check:
        check.wrong("amount", "must be positive")
    for said in (refused.value, IdReused(facts={"received_bytes": "7"})):
        status = to_status(said)
        error = grpc.aio.AioRpcError(
            said.kind.grpc_status,
            grpc.aio.Metadata(),
            grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString())),
            details=status.message,
            debug_error_string=None,
        )
        heard = from_error(error)
        assert (heard.kind, heard.reason, heard.fields) == (said.kind, said.reason, said.fields)
        assert (heard.message, heard.facts) == (said.message, said.facts)
