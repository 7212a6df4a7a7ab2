"""A test of paged lists over gRPC. A page token must be valid for one caller and one query only."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from chassis.grpc_status import from_error
from chassis.refusals import Refusal

Read = Callable[[Any], Awaitable[Any]]


async def assert_token_is_bound(
    read: Read, request: Any, *, by_others: Read | None = None, other_query: Any = None
) -> None:
    """Assert that a page token works for the same query, but not for another caller or query.

    `read` and `by_others` send a list request as two different callers. Both callers may use the
    method. `other_query` is `request` with another filter. If `by_others` or `other_query` is None,
    that case is not tested. `request` must match at least two rows.
    """
    first = await read(_page(request, 1, ""))
    token = first.next_page_token
    second = await read(_page(request, 1, token))
    assert _rows(first) and _rows(second) and _rows(first) != _rows(second)
    assert _rows(await read(_page(request, 2, token))), "another size is the same query"
    if other_query is not None:
        await _assert_refused(read, _page(other_query, 1, token))
    if by_others is not None:
        await by_others(_page(request, 1, ""))
        await _assert_refused(by_others, _page(request, 1, token))


async def _assert_refused(read: Read, request: Any) -> None:
    with pytest.raises((Refusal, grpc.RpcError)) as caught:
        await read(request)
    error: Any = caught.value
    refusal = error if isinstance(error, Refusal) else from_error(error)
    assert refusal.reason == "PAGE_TOKEN_WRONG"
    assert [wrong.field for wrong in refusal.fields] == ["page.token"]


def _page(request: Any, size: int, token: str) -> Any:
    asked = type(request)()
    asked.CopyFrom(request)
    asked.page.size, asked.page.token = size, token
    return asked


def _rows(answer: Any) -> list[Any]:
    """The rows of an answer: its first field."""
    return list(getattr(answer, answer.DESCRIPTOR.fields[0].name))
