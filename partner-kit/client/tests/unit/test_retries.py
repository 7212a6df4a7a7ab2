"""When a request is sent again, and after how long."""

import grpc
import pytest
from tartip_partner.errors import MessageTooLarge, Refused
from tartip_partner.retries import Retries, check_repeatable


def test_pauses_double_up_to_the_longest_and_differ_at_random() -> None:
    retries = Retries(first_pause_seconds=1, longest_pause_seconds=8)
    for repetitions, longest in enumerate((1, 2, 4, 8, 8, 8)):
        pauses = {retries.pause(repetitions) for _ in range(50)}
        assert longest / 2 <= min(pauses) and max(pauses) <= longest
        assert len(pauses) > 40
    assert retries.pause(10_000) <= 8


def test_the_pause_that_the_service_names_is_never_shortened() -> None:
    pauses = [Retries(longest_pause_seconds=1).pause(0, 30.0) for _ in range(50)]
    assert min(pauses) >= 30.0 and max(pauses) <= 33.0


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"])
def test_what_a_repetition_can_change_is_repeated(status: str) -> None:
    check_repeatable(Refused(grpc.StatusCode[status], "A_REASON"))


@pytest.mark.parametrize(
    "status", ["INVALID_ARGUMENT", "ALREADY_EXISTS", "PERMISSION_DENIED", "INTERNAL", "ABORTED"]
)
def test_every_other_refusal_is_not_repeated(status: str) -> None:
    refused = Refused(grpc.StatusCode[status], "A_REASON")
    with pytest.raises(Refused) as caught:
        check_repeatable(refused)
    assert caught.value is refused


def test_a_resource_exhausted_without_a_name_is_a_message_too_large() -> None:
    with pytest.raises(MessageTooLarge):
        check_repeatable(Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "", is_named=False))
