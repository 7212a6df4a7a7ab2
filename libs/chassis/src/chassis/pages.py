"""Keyset pagination: bounded pages, and encrypted tokens with the sort key of a page's last row.

A token is valid only for the caller and the request for which it was issued, but the page size may
change. The instances of a service share the encryption key and store no tokens.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from vault.keyring import DataKey, Keyring

from chassis.identity import Caller
from chassis.refusals import FieldError, PageTokenWrong, checks

SIZE_DEFAULT = 50
SIZE_MAX = 200
KEY_CLASS = "pages"


@dataclass(frozen=True)
class PageSpec:
    """A page to read: at most `size` rows after the sort key `after`, which is () for page one."""

    size: int
    after: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The page that a list request asks for (`spec`); `next_token` makes the next page's token."""

    spec: PageSpec
    _query: str
    _key: DataKey

    def next_token(self, keys: Sequence[tuple[str, ...]]) -> str:
        """Return the token of the next page; `keys` are the sort keys of this page's rows, in
        order.

        Returns "" if this page is not full: there is no next page then.
        """
        return self.token_after(keys[-1]) if len(keys) >= self.spec.size else ""

    def token_after(self, key: tuple[str, ...]) -> str:
        """The token of a page that begins after the sort key `key`."""
        return base64.urlsafe_b64encode(self._key.seal(json.dumps(key), self._query)).decode()


class Pages:
    """Reads which page a list request asks for; it decrypts page tokens with the service's key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def read(self, request: Any, caller: Caller) -> Page:
        """Return the page that the field `page` of a list request asks for.

        Raises BadRequest for a wrong size, PageTokenWrong for an invalid token.
        """
        size, token = request.page.size, request.page.token
        with checks() as check:
            check.that(0 <= size <= SIZE_MAX, "page.size", f"must be 0 to {SIZE_MAX}")
        query, key = _query(request, caller), self._keyring.own_key(KEY_CLASS)
        after = _open(token, query, key) if token else ()
        return Page(PageSpec(size or SIZE_DEFAULT, after), query, key)


def _query(request: Any, caller: Caller) -> str:
    """What a token is bound to: all fields of the request except `page`, its type, the caller."""
    query = type(request)()
    query.CopyFrom(request)
    query.ClearField("page")
    digest = hashlib.sha256(query.SerializeToString(deterministic=True)).hexdigest()
    return f"{digest} {request.DESCRIPTOR.full_name} {caller.key}"


def _open(token: str, query: str, key: DataKey) -> tuple[str, ...]:
    try:
        sealed = base64.b64decode(token, b"-_", validate=True)
        return tuple(json.loads(key.open(sealed, query)))
    except (ValueError, InvalidTag) as error:
        wrong = FieldError("page.token", PageTokenWrong.code, "not of this caller's query")
        raise PageTokenWrong(fields=(wrong,)) from error


def moment_in(text: str) -> datetime:
    """Parse an ISO 8601 time with a time zone from a page token; return it in UTC.

    Raises PageTokenWrong for any other text.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise PageTokenWrong
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PageTokenWrong from error
