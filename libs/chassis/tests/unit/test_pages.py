"""A page token goes on with the query of the caller that got it; everything else is refused."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chassis.identity import Caller, Operator
from chassis.pages import Page, Pages, moment_in
from chassis.refusals import BadRequest, PageTokenWrong
from tartip.audit.v1 import audit_pb2 as pb
from tartip.common.v1 import common_pb2
from vault.keyring import Keyring

ONE = Caller("partner", "kaspi")
ROWS = [("a", "1"), ("b", "2")]


def asked(token: str = "", *, size: int = 2, **filters: Any) -> pb.ListEntriesRequest:
    page = common_pb2.Page(size=size, token=token)
    return pb.ListEntriesRequest(page=page, **{"from_index": 7, **filters})


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The folder that all copies of a service share."""
    return tmp_path / "keys"


@pytest.fixture
def pages(keys: Path) -> Pages:
    return Pages(Keyring(keys))


@pytest.fixture
def token(pages: Pages) -> str:
    return pages.read(asked(), ONE).next_token(ROWS)


def test_a_page_goes_on_where_the_one_before_ended(pages: Pages, token: str) -> None:
    page = pages.read(asked(token), ONE)
    assert page.spec.after == ("b", "2")
    assert page.next_token(ROWS[:1]) == ""


def test_a_token_holds_in_another_copy_and_after_a_restart(keys: Path, token: str) -> None:
    assert Pages(Keyring(keys)).read(asked(token), ONE).spec.after == ("b", "2")


def test_another_page_size_is_the_same_query(pages: Pages, token: str) -> None:
    assert pages.read(asked(token, size=9), ONE).spec.size == 9


@pytest.mark.parametrize("size", [-1, 201])
def test_a_wrong_page_size_is_named(pages: Pages, size: int) -> None:
    with pytest.raises(BadRequest) as refused:
        pages.read(asked(size=size), ONE)
    assert [error.field for error in refused.value.fields] == ["page.size"]


def is_refused(pages: Pages, request: Any, caller: Caller = ONE) -> bool:
    with pytest.raises(PageTokenWrong) as refused:
        pages.read(request, caller)
    return [error.field for error in refused.value.fields] == ["page.token"]


@pytest.mark.parametrize(
    "caller",
    [
        Caller("partner", "halyk"),
        Caller("service", "kaspi"),
        Caller("service", "operator-gateway", Operator("kaspi", frozenset(), ())),
    ],
)
def test_another_caller_is_refused(pages: Pages, token: str, caller: Caller) -> None:
    assert is_refused(pages, asked(token), caller)


def test_an_operators_token_is_no_other_operators_nor_the_gateways(pages: Pages) -> None:
    first, second = (
        Caller("service", "operator-gateway", Operator(name, frozenset({"auditor"}), ("*",)), why)
        for name, why in (("auditor-1", "audit"), ("auditor-2", "audit"))
    )
    token = pages.read(asked(), first).next_token(ROWS)
    assert is_refused(pages, asked(token), second)
    assert is_refused(pages, asked(token), Caller("service", "operator-gateway"))
    # Why it is read may be said in other words from page to page.
    reworded = Caller(first.kind, first.name, first.operator, "other words")
    assert pages.read(asked(token), reworded).spec.after


@pytest.mark.parametrize("filters", [{"from_index": 8}, {"with_hidden": True}, {"from_index": 0}])
def test_another_filter_is_refused(pages: Pages, token: str, filters: dict[str, Any]) -> None:
    assert is_refused(pages, asked(token, **filters))


def test_a_field_that_this_version_does_not_know_is_part_of_the_query(
    pages: Pages, token: str
) -> None:
    newer = pb.ListEntriesRequest.FromString(asked(token).SerializeToString() + b"\x98\x06\x01")
    assert is_refused(pages, newer)


def test_another_list_is_refused(pages: Pages) -> None:
    first = pb.ListAttemptsRequest(page=common_pb2.Page(size=2))
    token = pages.read(first, ONE).next_token(ROWS)
    other = pb.ListEntriesRequest(page=common_pb2.Page(size=2, token=token))
    assert is_refused(pages, other)


def test_every_changed_or_cut_token_is_refused(pages: Pages, token: str) -> None:
    sealed = base64.urlsafe_b64decode(token)
    flipped = (sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed)))
    cut = (sealed[:n] for n in range(1, len(sealed)))
    for wrong in (*flipped, *cut, sealed + b"\0"):
        assert is_refused(pages, asked(base64.urlsafe_b64encode(wrong).decode()))


@pytest.mark.parametrize(
    "wrong",
    [
        base64.urlsafe_b64encode(json.dumps(["entries", "b", "2"]).encode()).decode(),
        base64.urlsafe_b64encode(b"[" * 10**6).decode(),
        "000000000000000",
        "x",
        "!",
        "é",
        "²",
        "\0",
    ],
)
def test_what_no_list_gave_is_refused(pages: Pages, wrong: str) -> None:
    assert is_refused(pages, asked(wrong))


def test_the_key_of_another_service_opens_nothing(tmp_path: Path, token: str) -> None:
    assert is_refused(Pages(Keyring(tmp_path / "others")), asked(token))


def test_a_token_tells_nothing_of_the_row_nor_of_the_query(pages: Pages) -> None:
    page: Page = pages.read(asked(), ONE)
    token = page.next_token([("900101300017", "x"), ("900101300017", "y")])
    assert b"900101300017" not in base64.urlsafe_b64decode(token)
    assert token != page.next_token([("900101300017", "x"), ("900101300017", "y")])


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "", "x"],
)
def test_a_moment_that_no_database_holds_is_refused_by_name(text: str) -> None:
    with pytest.raises(PageTokenWrong):
        moment_in(text)


def test_a_moment_is_read_as_it_was_written() -> None:
    assert moment_in("2026-01-01T05:00:00+05:00") == datetime(2026, 1, 1, tzinfo=UTC)
