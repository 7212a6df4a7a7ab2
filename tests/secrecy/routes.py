"""The routes of the gateway, asked with what its OpenAPI says that they take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis.clock import system_clock

from .asking import PAGES_MAX, Asking, Outcome
from .callers import Caller

SERVICES = ("citizen-reports", "camera-registry", "inference-gateway", "violations", "fines")
NO_SHA256 = "0" * 64
NO_FINE = "000000000000000"


@dataclass(frozen=True)
class Route:
    """A route: its method and path, its query and the fields of its body."""

    method: str
    path: str
    query: tuple[str, ...]
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_of_a_report(self) -> bool:
        return "{report_id}" in self.path or self.path.endswith("/by-number/{number}")

    def paths(self, values: Mapping[str, str]) -> Iterator[str]:
        """Yield the path with its parameters filled; one for each service where it names one."""
        for service in SERVICES if "{service}" in self.path else ("",):
            given = _Nowhere({**_NOWHERE, **values, "service": service})
            yield self.path.format_map(given)


class _Nowhere(dict[str, str]):
    """Values of the parameters of a path; "0", which nothing has, for those not given."""

    def __missing__(self, name: str) -> str:
        return "0"


_NO_ID = "018f2b6e-0000-7000-8000-000000000001"
_NOWHERE = {
    "sha256": NO_SHA256,
    "number": NO_FINE,
    **dict.fromkeys(("camera_id", "violation_id", "report_id", "media_id"), _NO_ID),
    **{"z": "5", "x": "22", "y": "11"},
}


def routes_of(openapi: Mapping[str, Any]) -> Iterator[Route]:
    for path, methods in openapi["paths"].items():
        for method, described in methods.items():
            given = described.get("parameters", ())
            query = tuple(one["name"] for one in given if one["in"] == "query")
            yield Route(method.upper(), path, query, _body_of(openapi, described))


def _body_of(openapi: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    content = described.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    named = [schema, *schema.get("anyOf", ())]
    [ref, *_] = [one["$ref"] for one in named if "$ref" in one] or [""]
    return dict(
        openapi["components"]["schemas"].get(ref.rpartition("/")[2], {}).get("properties", {})
    )


def body_for(route: Route, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a route's body for which there are values."""
    body = {name: values[name] for name in route.body if name in values}
    if "category" in body:
        body["category"] = "complaint_about_officer"
    return body


def query_for(route: Route) -> dict[str, Any]:
    now = system_clock()
    values = {
        "page_size": 200,
        "leaf_index": 0,
        "tree_size": 1,
        "first_size": 0,
        "second_size": 1,
        "latitude": 43.2,
        "longitude": 76.9,
        "with_hidden": "true",
        "resume_after": "REPORTS.0",
        "registered_from": (now - timedelta(days=30)).isoformat(),
        "registered_until": now.isoformat(),
    }
    return {name: values[name] for name in route.query if name in values}


async def asked(
    asking: Asking, caller: Caller, route: Route, path: str, body: Mapping[str, Any]
) -> Outcome:
    """Ask a route, with all its pages."""
    query, found = query_for(route), bytearray()
    for _ in range(PAGES_MAX):
        given = body or None if route.body else None
        outcome = await asking.rest(caller, route.method, path, query=query, body=given)
        if outcome.code:
            return outcome
        found += outcome.content
        token = _next_token(outcome.content) if "page_token" in route.query else ""
        if not token:
            break
        query["page_token"] = token
    return Outcome("", bytes(found))


def _next_token(content: bytes) -> str:
    try:
        return str(json.loads(content.partition(b"\n")[0]).get("next_page_token", ""))
    except ValueError:
        return ""
