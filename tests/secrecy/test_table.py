"""The table of who may see what has a row for all that can be asked, and for nothing else."""

from __future__ import annotations

import pytest
import yaml
from chassis.identity import Allow
from citizen_reports.model.categories import Category
from fastapi import FastAPI
from operator_gateway.app import ROUTERS
from operator_gateway.live import AUDIENCES

from ..contract.test_purposes import POLICIES
from .asking import every_method
from .table import COMPLAINTS, PAGE, ROOT, page, read_table

TABLE = read_table()
METHODS = ("get", "post", "put", "patch", "delete")


def test_every_rpc_of_the_contracts_has_a_row_and_every_row_an_rpc() -> None:
    rpcs = set(every_method())
    assert rpcs
    assert set(TABLE.rpcs) == rpcs


def test_every_route_of_the_gateway_has_a_row_and_every_row_a_route() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    paths = app.openapi()["paths"]
    routes = {
        f"{method.upper()} {path}"
        for path, has in paths.items()
        for method in METHODS
        if method in has
    }
    assert set(TABLE.routes) == routes


@pytest.mark.parametrize("name", sorted(TABLE.rpcs))
def test_who_may_call_is_what_the_service_allows(name: str) -> None:
    assert TABLE.rpcs[name].asks == callers_of(POLICIES[f"/{name}"])


def callers_of(allowed: Allow) -> frozenset[str]:
    services = {f"service {name}" for name in allowed.services}
    partners = {f"partner with {allowed.scope}"} if allowed.partners else set[str]()
    return allowed.roles | services | partners | ({"device"} if allowed.devices else set())


def test_the_live_feed_names_the_roles_that_it_tells_anything() -> None:
    told = frozenset().union(*AUDIENCES.values())
    feed = TABLE.elsewhere["live feed"]
    assert told <= feed.asks <= set(TABLE.reports)


def test_every_stream_of_the_broker_has_a_row() -> None:
    streams = yaml.safe_load((ROOT / "infra" / "nats" / "streams.yaml").read_text())["streams"]
    named = {name for name in TABLE.elsewhere if name.startswith("stream ")}
    assert named == {f"stream {name}" for name in streams}


def test_every_kind_of_report_has_one_class() -> None:
    kinds = [kind for row in TABLE.classes.values() for kind in row["kinds"]]
    assert sorted(kinds) == sorted(category.value for category in Category)


def test_every_role_has_a_row_and_every_part_is_explained() -> None:
    roles = frozenset().union(*(allowed.roles for allowed in POLICIES.values()))
    assert roles <= set(TABLE.reports)
    surfaces = (*TABLE.rpcs.values(), *TABLE.routes.values(), *TABLE.elsewhere.values())
    named = set().union(*(row.shows for row in surfaces))
    for row in TABLE.reports.values():
        named |= {part for name in TABLE.classes for part in row.get(name, ())}
    for row in TABLE.complaints.values():
        named |= {*row["before"], *row["after"]}
    assert named - {COMPLAINTS} == set(TABLE.parts)


def test_the_page_for_people_is_made_from_the_table() -> None:
    assert PAGE.read_text() == page(TABLE), "run `make who-sees-what`"
