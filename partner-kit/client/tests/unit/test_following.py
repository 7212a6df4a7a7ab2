"""Resume tokens: kept after the change was acted on, and each change given once."""

from pathlib import Path

from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner.retries import Retries
from tartip_partner.tokens import FileTokenStore, Following


def change(token: int) -> pb.WatchReportsResponse:
    return pb.WatchReportsResponse(resume_token=str(token))


def test_a_change_that_was_given_is_not_new() -> None:
    following = Following("0", None, Retries())
    for token in (1, 2):
        assert following.is_new(change(token))
        following.keep(change(token))
    assert not following.is_new(change(1)) and not following.is_new(change(2))
    assert following.request().resume_token == "2"


def test_what_is_remembered_is_bounded() -> None:
    following = Following("0", None, Retries())
    for token in range(10_002):
        following.keep(change(token))
    assert following.is_new(change(0)) and following.is_new(change(1))
    assert not following.is_new(change(2))


def test_a_stream_that_ends_at_once_is_opened_again_ever_more_slowly() -> None:
    following = Following("0", None, Retries(first_pause_seconds=1, longest_pause_seconds=8))
    pauses = [following.pause() for _ in range(4)]
    assert all(
        least <= pause <= 2 * least for pause, least in zip(pauses, (0.5, 1, 2, 4), strict=True)
    )
    assert following.is_new(change(1))
    assert following.pause() <= 1


def test_the_stored_token_comes_before_the_given_one(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "token")
    assert Following("7", store, Retries()).request().resume_token == "7"
    store.save("12")
    assert FileTokenStore(tmp_path / "token").load() == "12"
    assert Following("7", store, Retries()).request().resume_token == "12"
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
