"""Pages of a list. A page token is valid only with the filters of the query that returned it."""

import hashlib
from dataclasses import dataclass
from typing import Any

from chassis.pages import PageSpec, next_token, read_page


@dataclass(frozen=True)
class PageQuery:
    spec: PageSpec
    name: str

    @classmethod
    def read(cls, name: str, request: Any) -> "PageQuery":
        """Return the page query of a list request, which has a field `page`. Raises BadRequest
        for a wrong page size, PageTokenWrong for an invalid token or a token issued under other
        filters."""
        query = type(request)()
        query.CopyFrom(request)
        query.ClearField("page")
        digest = hashlib.sha256(query.SerializeToString(deterministic=True)).hexdigest()[:16]
        named = f"{name}:{digest}"
        return cls(read_page(request.page.size, request.page.token, of=named), named)

    def next_token(self, keys: list[tuple[str, ...]]) -> str:
        return next_token(keys, self.spec, of=self.name)
