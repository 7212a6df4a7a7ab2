"""The gateway forwards operators' requests and passes refusals on under their own names."""

from typing import Any
from urllib.parse import quote

import pytest
from chassis.clock import new_id

from .conftest import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
SHA = "ab" * 32


async def test_a_request_reaches_the_owner_with_token_and_purpose(gateway: Any) -> None:
    violation_id = str(new_id())
    headers = gateway.headers("inspector-almaty", **{"Tartip-Purpose": "review"})
    async with gateway.client() as client:
        answer = await client.get(f"/v1/violations/{violation_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["violation"]["violation_id"] == violation_id
    assert answer.json()["violation"]["state"] == "review"
    assert len(answer.headers["tartip-trace"]) == 32
    caller = gateway.asked.callers[-1]
    assert caller.operator.operator_id == "inspector-almaty"
    assert (caller.kind, caller.name, caller.purpose) == ("service", "operator-gateway", "review")


async def test_an_operator_of_another_region_is_refused_by_the_owners_name_for_it(
    gateway: Any,
) -> None:
    headers = gateway.headers("inspector-astana", **{"Accept-Language": "fr, ru;q=0.2, kk;q=0.8"})
    async with gateway.client() as client:
        answer = await client.get(f"/v1/violations/{new_id()}", headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["reason"] == "VIOLATION_NOT_FOUND"
    assert told["title"] == "Мұндай бұзушылық жоқ."


async def test_every_wrong_field_of_the_owner_is_handed_on(gateway: Any) -> None:
    body = {
        "camera_id": "1",
        "description": {
            "name": "n",
            "kind": "anpr",
            "serial": "",
            "place": {"latitude": 43.2, "longitude": 76.9, "region": "KZ-75"},
        },
    }
    async with gateway.client() as client:
        answer = await client.post("/v1/cameras", json=body, headers=gateway.headers("cameras-1"))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [
        "camera_id",
        "description.serial",
    ]


async def test_a_camera_may_be_asked_for_as_it_was_described_at_a_moment(gateway: Any) -> None:
    path, then = f"/v1/cameras/{new_id()}", "2026-06-03T09:00:00Z"
    headers = gateway.headers("inspector-almaty")
    async with gateway.client() as client:
        asked = await client.get(path, params={"as_of": then}, headers=headers)
        now = await client.get(path, headers=headers)
        wrong = await client.get(path, params={"as_of": "yesterday"}, headers=headers)
    assert asked.json()["camera"]["registered_at"] == then
    assert now.json()["camera"]["registered_at"] is None
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "TOKEN_EXPIRED"),
        ({"aud": "another"}, "NOT_AUTHENTICATED"),
        ({"iss": "http://stranger"}, "NOT_AUTHENTICATED"),
    ],
)
async def test_a_token_that_does_not_hold_is_refused(
    gateway: Any, claims: dict[str, Any], reason: str
) -> None:
    async with gateway.client() as client:
        answer = await client.get("/v1/violations", headers=gateway.forged(**claims))
    assert (answer.status_code, answer.json()["reason"]) == (401, reason)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("value", ["", "Bearer x", "Bearer a.b.c", "Basic eDp5", "Bearer ü.x.y"])
async def test_what_is_no_token_is_refused(gateway: Any, value: str) -> None:
    async with gateway.client() as client:
        answer = await client.get(
            "/v1/violations", headers={"Authorization": value.encode("latin-1")}
        )
    assert (answer.status_code, answer.json()["reason"]) == (401, "NOT_AUTHENTICATED")


async def test_every_path_but_the_open_ones_asks_for_a_token(gateway: Any) -> None:
    async with gateway.client() as client:
        paths = (await client.get("/v1/openapi.json")).json()["paths"]
        is_open = {"/healthz", "/readyz", "/v1/sign-in", "/v1/sign-in/development", "/v1/notices"}
        for path, methods in paths.items():
            for method in set(methods) - {"parameters"}:
                if path in is_open:
                    continue
                filled = path.replace("{service}", "fines").replace("{sha256}", SHA)
                answer = await client.request(method, filled, json={})
                assert answer.status_code == 401, (method, path, answer.text)


async def test_an_unknown_field_is_refused_and_named(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty")
    async with gateway.client() as client:
        body = {"verdict": "confirm", "amount": 1}
        answer = await client.post("/v1/violations/x/decision/prepare", json=body, headers=headers)
        query = await client.get("/v1/violations?colour=red", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "amount")
    assert (query.status_code, query.json()["errors"][0]["field"]) == (422, "colour")


async def test_a_body_that_is_too_large_is_refused(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty") | {"Content-Type": "application/json"}
    async with gateway.client() as client:
        for content in (b'{"x": "' + b"a" * 1_100_000 + b'"}', _pieces()):
            answer = await client.post("/v1/violations/x/confirm", content=content, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")


async def _pieces() -> Any:
    for _ in range(20):
        yield b"a" * 100_000


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a":' * 5000, b"null"])
async def test_a_body_that_is_no_request_is_refused_not_broken(
    gateway: Any, content: bytes
) -> None:
    headers = gateway.headers("inspector-almaty") | {"Content-Type": "application/json"}
    async with gateway.client() as client:
        answer = await client.post("/v1/violations/x/confirm", content=content, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_decision_carries_the_officers_bytes_and_the_id_from_the_header(
    gateway: Any,
) -> None:
    decision_id = str(new_id())
    body = {"canonical": "AAEC", "signature": "AwQ=", "certificate": "UEVN"}
    headers = gateway.headers("inspector-almaty") | {"Idempotency-Key": decision_id}
    async with gateway.client() as client:
        answer = await client.post("/v1/violations/v-1/confirm", json=body, headers=headers)
    assert answer.json()["violation"]["version"] == 2
    asked = gateway.asked.requests[-1]
    assert (asked.decision_id, asked.violation_id) == (decision_id, "v-1")
    assert (asked.canonical, asked.signature, asked.certificate) == (
        b"\x00\x01\x02",
        b"\x03\x04",
        b"PEM",
    )


async def test_pages_pass_through(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty")
    async with gateway.client() as client:
        answer = await client.get(
            "/v1/violations?state=review&page_size=7&page_token=abc", headers=headers
        )
        too_many = await client.get("/v1/violations?page_size=201", headers=headers)
    assert answer.json() == {
        "violations": [],
        "next_page_token": "further",
        "paused_since": None,
        "held_reads": 0,
    }
    asked = gateway.asked.requests[-1]
    assert (asked.state, asked.page.size, asked.page.token) == (1, 7, "abc")
    assert too_many.status_code == 422


async def test_a_peer_that_is_away_is_told_as_away(lonely_gateway: Any) -> None:
    gateway = lonely_gateway
    async with gateway.client() as client:
        answer = await client.get("/v1/fines", headers=gateway.headers("finance-1"))
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert (ready.json()["ready"], ready.json()["degraded"]) == (False, False)
    assert ready.json()["reasons"] == {"fines": "does not answer (UNAVAILABLE)"}
    peers = {peer["name"]: peer["ready"] for peer in ready.json()["peers"]}
    assert peers == {
        "camera-registry": True,
        "inference-gateway": True,
        "violations": True,
        "fines": False,
        "citizen-reports": True,
    }


async def test_evidence_is_streamed_and_kept_nowhere(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty") | {"Tartip-Purpose": "review"}
    path = f"/v1/violations/{new_id()}/evidence"
    async with gateway.client() as client:
        shown = await client.get(f"{path}/{SHA}", headers=headers)
        strange = await client.get(f"{path}/{'cd' * 32}", headers=headers)
        no_purpose = await client.get(f"{path}/{SHA}", headers=gateway.headers("inspector-almaty"))
        gone = await client.get(f"/v1/evidence/{SHA}", headers=headers)
    assert shown.content == bytes(range(256)) * 4096
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["tartip-sha256"] == SHA
    assert shown.headers["tartip-original-sha256"] == "0e" * 32
    assert gone.status_code == 404
    assert strange.headers["content-type"] == "application/octet-stream"
    assert strange.headers["content-disposition"].startswith("attachment")
    assert (no_purpose.status_code, no_purpose.json()["reason"]) == (422, "PURPOSE_REQUIRED")


@pytest.mark.parametrize("said", ["тексеру: 12-іс", "проверка № 12", "case 12", "100 %", "х" * 200])
async def test_a_purpose_comes_in_any_script(gateway: Any, said: str) -> None:
    headers = gateway.headers("inspector-almaty", **{"Tartip-Purpose": quote(said)})
    async with gateway.client() as client:
        answer = await client.get(f"/v1/violations/{new_id()}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert gateway.asked.callers[-1].purpose == said


@pytest.mark.parametrize(
    "header",
    [
        quote("х" * 201),
        "a%0Ab",
        "a%00b",
        "%E2%80%AE",
        "%FF",
        "%ED%A0%80",
        "100 %",
        "a%2",
        "%zz",
        "тексеру".encode(),
        "é".encode("latin-1"),
        "x" * 201,
    ],
)
async def test_a_purpose_that_is_no_plain_text_is_refused_by_name(
    gateway: Any, header: str | bytes
) -> None:
    headers = gateway.headers("inspector-almaty") | {"Tartip-Purpose": header}
    async with gateway.client() as client:
        answer = await client.get(f"/v1/violations/{new_id()}", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (422, "PURPOSE_WRONG")


async def test_the_page_runs_no_inline_script(gateway: Any) -> None:
    async with gateway.client() as client:
        page = await client.get("/")
        assert "<script>" not in page.text
        assert "style=" not in page.text
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        for name in ("console.js", "console.css", "texts.js"):
            assert (await client.get(f"/console/{name}")).status_code == 200
        assert (await client.get("/console/../app.py")).status_code == 404


async def test_the_development_issuer_offers_its_operators(gateway: Any) -> None:
    async with gateway.client() as client:
        offered = (await client.get("/v1/sign-in")).json()
        assert offered["development"]
        assert "inspector-almaty" in [operator["id"] for operator in offered["operators"]]
        body = {"operator": "inspector-almaty"}
        token = (await client.post("/v1/sign-in/development", json=body)).json()["access_token"]
        me = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
        stranger = await client.post("/v1/sign-in/development", json={"operator": "nobody"})
    assert me.json()["roles"] == ["inspector"]
    assert stranger.json()["reason"] == "OPERATOR_UNKNOWN"


async def test_a_request_is_one_trace_from_the_edge_on(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty") | {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    async with gateway.client() as client:
        answer = await client.get("/v1/violations/v-7", headers=headers)
    trace = answer.headers["tartip-trace"]
    assert trace != "ab" * 16  # a stranger's trace is not believed
    await until(lambda: gateway.engines.story(trace) is not None)
    spans = gateway.engines.story(trace).spans
    assert {span.name for span in spans} == {
        "GET /v1/violations/{violation_id}",
        "tartip.violations.v1.Violations/GetViolation",
    }
