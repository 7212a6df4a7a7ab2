"""The catalogue of reasons for refusals, `errors.json`, which is made from the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import grpc


class Again(Enum):
    """Whether a refused request may be sent again."""

    NEVER = "never"
    # Of the request, of the report, or of what is registered of the partner.
    AFTER_CHANGE = "after_change"
    # The same, under the same id, after `Refused.retry_after` seconds.
    AFTER_RETRY_INFO = "after_retry_info"
    # The same, under the same id, after 1, 2, 4 … seconds.
    WITH_BACKOFF = "with_backoff"


@dataclass(frozen=True)
class KnownReason:
    """A reason as `Refused.reason` and `WrongField.reason` name it.

    `methods` are those that refuse with it, such as "CitizenReports.OpenReport"; empty if every
    method may. `do` tells a programmer what to do about it. `texts` are sentences for people by
    language ("kk", "ru", "en"). `fields` are the fields of requests of which it is said, and
    `facts` the names of further values in `Refused.facts`; both may be empty.
    """

    reason: str
    status: grpc.StatusCode
    methods: tuple[str, ...]
    again: Again
    do: str
    texts: Mapping[str, str]
    fields: tuple[str, ...]
    facts: tuple[str, ...]


@cache
def known_reasons() -> Mapping[str, KnownReason]:
    """Return all reasons of this version of the contract, by name. A service that is newer may
    refuse with others."""
    rows = json.loads((files(__package__) / "errors.json").read_text("utf-8"))
    return MappingProxyType({row["reason"]: _known(row) for row in rows})


def _known(row: dict[str, Any]) -> KnownReason:
    return KnownReason(
        reason=row["reason"],
        status=grpc.StatusCode[row["status"]],
        methods=tuple(method for method in row["methods"] if method != "*"),
        again=Again(row["again"]),
        do=row["do"],
        texts=MappingProxyType(row["texts"]),
        fields=tuple(row["fields"]),
        facts=tuple(row["facts"]),
    )
