"""Pages of a list: a token is valid only with the filters of the query that returned it."""

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
        """`request` has a field `page`. Raises BadRequest (size) and PageTokenWrong, which a token
        of the same list with other filters is, too."""
        query = type(request)()
        query.CopyFrom(request)
        query.ClearField("page")
        digest = hashlib.sha256(query.SerializeToString(deterministic=True)).hexdigest()[:16]
        named = f"{name}:{digest}"
        return cls(read_page(request.page.size, request.page.token, of=named), named)

    def next_token(self, keys: list[tuple[str, ...]]) -> str:
        return next_token(keys, self.spec, of=self.name)
