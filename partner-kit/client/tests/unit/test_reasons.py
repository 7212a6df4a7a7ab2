"""The catalogue of refusals in the package."""

import grpc
from tartip_partner import Again, known_reasons
from tartip_partner.errors import Refused, TartipError
from tartip_partner.retries import check_repeatable


def test_a_reason_is_looked_up_by_name() -> None:
    gap = known_reasons()["MEDIA_GAP"]
    assert gap.status is grpc.StatusCode.FAILED_PRECONDITION
    assert gap.methods == ("CitizenReports.PutMedia",)
    assert (gap.again, gap.facts) == (Again.AFTER_CHANGE, ("received_bytes",))
    assert known_reasons()["TEXT_TOO_LONG"].fields == ("text",)
    assert known_reasons().get("OF_A_LATER_CONTRACT") is None


def test_every_reason_has_its_text_in_three_languages() -> None:
    for known in known_reasons().values():
        assert set(known.texts) == {"kk", "ru", "en"}
        assert all(known.texts.values())


def test_the_client_repeats_by_itself_what_the_catalogue_says_may_be_repeated() -> None:
    for known in known_reasons().values():
        try:
            check_repeatable(Refused(known.status, known.reason))
        except TartipError:
            is_repeated = False
        else:
            is_repeated = True
        assert is_repeated == (known.again in {Again.AFTER_RETRY_INFO, Again.WITH_BACKOFF})
