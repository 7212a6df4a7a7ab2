"""Keyset pages: a bounded size, and a token that holds the key of the last row.

Tokens are neither secret nor trusted: they hold the list's name and the last row's key, and a token
of another list is refused.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.refusals import PageTokenWrong, checks

SIZE_DEFAULT = 50
SIZE_MAX = 200
TOKEN_MAX = 2000


@dataclass(frozen=True)
class PageSpec:
    """A page to read: at most `size` rows after the key `after`, () for the first page."""

    size: int
    after: tuple[str, ...]


def read_page(size: int, token: str, *, of: str) -> PageSpec:
    """Parse a request for a page of the list `of`. Raises BadRequest or PageTokenWrong."""
    with checks() as check:
        check.that(0 <= size <= SIZE_MAX, "page.size", f"must be 0 to {SIZE_MAX}")
    if not token:
        return PageSpec(size or SIZE_DEFAULT, ())
    if len(token) > TOKEN_MAX:
        raise PageTokenWrong
    try:
        name, *after = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError) as error:
        raise PageTokenWrong from error
    if name != of or not after or not all(_is_text(part) for part in after):
        raise PageTokenWrong
    return PageSpec(size or SIZE_DEFAULT, tuple(after))


def moment_in(text: str) -> datetime:
    """Parse a moment of a page token, in UTC. Raises PageTokenWrong."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise PageTokenWrong
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PageTokenWrong from error


def _is_text(part: object) -> bool:
    """Whether a part is text that PostgreSQL accepts: no NUL and no unpaired surrogate."""
    if not isinstance(part, str) or "\x00" in part:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in part)


def next_token(rows: list[tuple[str, ...]], spec: PageSpec, *, of: str) -> str:
    """The token of the next page, from the keys of these rows; "" if this page is not full."""
    if len(rows) < spec.size:
        return ""
    return base64.urlsafe_b64encode(json.dumps([of, *rows[-1]]).encode()).decode()
