"""Keyset pages: a bounded size, and a token that says where the page before ended.

Tokens are not secret and not trusted: they carry the list's name and the last row's key, and a
token of another list is refused.
"""

import base64
import json
from dataclasses import dataclass

from chassis.refusals import PageTokenWrong, checks

SIZE_DEFAULT = 50
SIZE_MAX = 200


@dataclass(frozen=True)
class PageSpec:
    """`after` is the key of the last row seen, () for the first page."""

    size: int
    after: tuple[str, ...]


def read_page(size: int, token: str, *, of: str) -> PageSpec:
    """`of` names the list. Raises BadRequest (size) or PageTokenWrong."""
    with checks() as check:
        check.that(0 <= size <= SIZE_MAX, "page.size", f"must be 0 to {SIZE_MAX}")
    if not token:
        return PageSpec(size or SIZE_DEFAULT, ())
    try:
        name, *after = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError) as error:
        raise PageTokenWrong from error
    if name != of or not after or not all(isinstance(part, str) for part in after):
        raise PageTokenWrong
    return PageSpec(size or SIZE_DEFAULT, tuple(after))


def next_token(rows: list[tuple[str, ...]], spec: PageSpec, *, of: str) -> str:
    """`rows` are the keys of this page's rows; "" when the page was not full."""
    if len(rows) < spec.size:
        return ""
    return base64.urlsafe_b64encode(json.dumps([of, *rows[-1]]).encode()).decode()
