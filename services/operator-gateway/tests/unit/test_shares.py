"""Each operator has a share of the gateway; a refusal says which limit it is and when to try."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from chassis.identity import Operator
from fastapi import FastAPI
from host.shares import Quota, Shares
from operator_gateway.http import make_app
from operator_gateway.operator_context import AsOperator


class Tokens:
    """Whoever signs a token in these tests is believed."""

    async def verify(self, token: str) -> Operator:
        return Operator(_claims(token)["sub"], frozenset({"inspector"}), ("KZ-75",))


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def headers(name: str) -> dict[str, str]:
    claims = json.dumps({"sub": name, "exp": 2e9}).encode()
    payload = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    return {"Authorization": f"Bearer e30.{payload}.x", "Accept-Language": "ru"}


@pytest.fixture
def may_answer() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def app(may_answer: asyncio.Event) -> FastAPI:
    app = make_app("Test", description="", version="1")
    app.state.tokens, app.state.peers = Tokens(), None

    @app.get("/slow")
    async def slow(context: AsOperator) -> str:
        await may_answer.wait()
        return context.operator.operator_id

    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_an_operator_beyond_the_share_gets_429_with_limit_and_delay(
    app: FastAPI, may_answer: asyncio.Event
) -> None:
    app.state.shares = Shares(lambda kind, name: Quota(calls=2))
    async with client(app) as browser, asyncio.TaskGroup() as group:
        ask = [group.create_task(browser.get("/slow", headers=headers("one"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused = await browser.get("/slow", headers=headers("one"))
        ask.append(group.create_task(browser.get("/slow", headers=headers("other"))))
        may_answer.set()
    assert [task.result().json() for task in ask] == ["one", "one", "other"]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["reason"] == "SHARE_EXCEEDED"
    assert problem["facts"] == {"limit": "calls", "limit_value": "2"}
    assert problem["title"].startswith("Ваша доля")
    async with client(app) as browser:  # the places are free once the answers are sent
        assert (await browser.get("/slow", headers=headers("one"))).status_code == 200


async def test_a_rate_says_after_how_many_seconds(app: FastAPI, may_answer: asyncio.Event) -> None:
    app.state.shares = Shares(lambda kind, name: Quota(calls_per_second=0.1), now=lambda: 5.0)
    may_answer.set()
    async with client(app) as browser:
        answers = [await browser.get("/slow", headers=headers("one")) for _ in range(2)]
        neighbour = await browser.get("/slow", headers=headers("other"))
    assert [answer.status_code for answer in (*answers, neighbour)] == [200, 429, 200]
    assert answers[1].headers["retry-after"] == "10"


async def test_an_operators_calls_share_one_place_each_whatever_they_answer(
    app: FastAPI,
) -> None:
    app.state.shares = Shares(lambda kind, name: Quota(calls=1))

    @app.get("/broken")
    async def broken(context: AsOperator) -> str:
        raise ValueError

    async with client(app) as browser:
        answers = [await browser.get("/broken", headers=headers("one")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 500, 500]
