"""A partner is told by signed webhooks that there are changes, at least once and in order."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import pytest_asyncio
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Scope, Tx
from citizen_reports.model.webhooks import AllowedHosts, Message
from citizen_reports.usecases.webhooks import Webhooks
from partners.register import PartnerRegister
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from tartip.partners.v1 import partners_pb2 as partners
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import WEBHOOK_PORT, As, draft, refused, until
from .test_partners import add, change


@dataclass
class Bank:
    """A bank's server for webhooks: answers with `status`, and keeps what it was sent."""

    status: int = 204
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        raw = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if line}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append((raw, body))
        away = f"HTTP/1.1 {self.status} -\r\nlocation: https://127.0.0.1:1/\r\n"
        writer.write(f"{away}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def numbers(self) -> list[int]:
        return [int(json.loads(body)["data"]["sequence"]) for _, body in self.received]


@pytest_asyncio.fixture
async def bank(engines: RunningTestMesh) -> AsyncIterator[Bank]:
    found = Bank()
    pair = engines.certificates.service("operator-gateway")  # names 127.0.0.1
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    server = await asyncio.start_server(found.serve, "127.0.0.1", WEBHOOK_PORT, ssl=context)
    yield found
    server.close()
    await server.wait_closed()


@pytest_asyncio.fixture
async def app(engines: RunningTestMesh, as_: Callable[..., As]) -> As:
    """A new app whose row names the bank's address."""
    return await app_at(engines, as_, f"https://127.0.0.1:{WEBHOOK_PORT}/tartip")


async def app_at(
    engines: RunningTestMesh, as_: Callable[..., As], address: str, name: str = ""
) -> As:
    name = name or f"hooked-{new_id().hex[-12:]}"
    engines.certificates.issue_partner(name)
    administrator = as_(operator="partners-1")
    scope = partners.PARTNER_SCOPE_REPORTS
    await add(administrator, name, scope, callback_url=address)
    return as_(name)


async def rotate(app: As, request_id: str = "") -> pb.RotateWebhookSecretResponse:
    request = pb.RotateWebhookSecretRequest(request_id=request_id or str(new_id()))
    answer: pb.RotateWebhookSecretResponse = await app.app("RotateWebhookSecret", request)
    return answer


async def hand_in(app: As) -> str:
    given = draft()
    await app.app("OpenReport", given)
    await app.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    return given.report_id


async def test_a_change_is_told_with_a_signature_and_without_anything_of_the_report(
    app: As, bank: Bank
) -> None:
    secret = (await rotate(app)).secret
    report_id = await hand_in(app)
    await until(lambda: received(bank))
    headers, body = bank.received[-1]
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], set(told["data"])) == ("reports.changed", {"sequence"})
    assert report_id not in body.decode() and headers["webhook-id"].startswith("msg_")
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, headers)
    # The number is a resume token: all changes up to it are there.
    token = str(int(told["data"]["sequence"]) - 1)
    async with asyncio.timeout(60):
        async for change in app.watch(token):
            assert change.resume_token == told["data"]["sequence"]
            break


async def received(bank: Bank) -> bool:
    return bool(bank.received)


async def test_what_failed_is_sent_again_under_the_same_id(app: As, bank: Bank) -> None:
    await rotate(app)
    bank.status = 503
    await hand_in(app)
    await until(lambda: received(bank))
    first, _ = bank.received[0]
    bank.status = 200

    async def taken() -> bool:
        return len(bank.received) > 1

    await until(taken)
    again, _ = bank.received[-1]
    assert again["webhook-id"] == first["webhook-id"]
    assert bank.numbers() == sorted(bank.numbers())


async def test_a_redirect_is_not_followed_and_counts_as_a_failure(app: As, bank: Bank) -> None:
    await rotate(app)
    bank.status = 302
    await hand_in(app)

    async def tried_again() -> bool:
        return len(bank.received) > 1

    await until(tried_again)


async def test_who_takes_its_address_back_is_told_no_more(
    engines: RunningTestMesh, as_: Callable[..., As], bank: Bank, db: Database
) -> None:
    name, administrator = f"hooked-{new_id().hex[-12:]}", as_(operator="partners-1")
    engines.certificates.issue_partner(name)
    terms = {"callback_url": f"https://127.0.0.1:{WEBHOOK_PORT}/tartip"}
    row = await add(administrator, name, partners.PARTNER_SCOPE_REPORTS, **terms)
    bank.status = 503
    await rotate(as_(name))
    await hand_in(as_(name))
    await until(lambda: received(bank))
    await change(administrator, row, scopes=[partners.PARTNER_SCOPE_REPORTS])

    async def attempts() -> int:
        async with db.begin(SYSTEM) as tx:
            query = text("SELECT attempts FROM webhooks WHERE partner = :name")
            return int(await tx.scalar(query.bindparams(name=name)))

    before = await attempts()
    await asyncio.sleep(5)
    assert await attempts() == before > 0


async def test_two_secrets_sign_while_a_partner_changes_over(app: As, bank: Bank) -> None:
    first = await rotate(app)
    assert not first.HasField("previous_ends_at")
    second = await rotate(app)
    assert second.secret != first.secret and second.HasField("previous_ends_at")
    third = await rotate(app)
    await hand_in(app)
    await until(lambda: received(bank))
    headers, body = bank.received[-1]
    for secret in (second.secret, third.secret):
        Webhook(secret).verify(body, headers)


async def test_the_same_request_makes_one_secret(app: As) -> None:
    request_id = str(new_id())
    first, again = await rotate(app, request_id), await rotate(app, request_id)
    assert first == again


async def test_a_request_id_of_another_partner_makes_a_secret_as_a_fresh_one(
    engines: RunningTestMesh, as_: Callable[..., As], app: As
) -> None:
    other = await app_at(engines, as_, f"https://127.0.0.1:{WEBHOOK_PORT}/tartip")
    request_id = str(new_id())
    theirs, ours = await rotate(other, request_id), await rotate(app, request_id)
    assert theirs.secret != ours.secret
    assert await rotate(app, request_id) == ours


async def test_the_request_of_a_secret_that_has_ended_is_refused_by_name(
    app: As, db: Database
) -> None:
    request_id = str(new_id())
    await rotate(app, request_id)
    await rotate(app)
    newest = "SELECT partner FROM webhook_secrets ORDER BY created_at DESC LIMIT 1"
    ended = f"UPDATE webhook_secrets SET ends_at = service_now() WHERE partner = ({newest})"
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text(ended))
    await rotate(app)
    assert (await refused(rotate(app, request_id))).code == "ID_REUSED"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "WEBHOOK_ADDRESS_MISSING"),
        ("https://bank.example/tartip", "WEBHOOK_HOST_NOT_ALLOWED"),
        ("https://127.0.0.1/", "WEBHOOK_HOST_NOT_ALLOWED"),
        ("https://169.254.169.254/latest/meta-data", "WEBHOOK_HOST_NOT_ALLOWED"),
        ("https://user@127.0.0.1:PORT/", "WEBHOOK_HOST_NOT_ALLOWED"),
    ],
)
async def test_an_address_that_may_not_be_called_is_refused_by_name(
    engines: RunningTestMesh, as_: Callable[..., As], address: str, code: str
) -> None:
    app = await app_at(engines, as_, address.replace("PORT", str(WEBHOOK_PORT)))
    assert (await refused(rotate(app))).code == code


async def test_a_request_without_an_id_is_refused(app: As) -> None:
    request: Any = pb.RotateWebhookSecretRequest(request_id="4711")
    refusal = await refused(app.app("RotateWebhookSecret", request))
    assert refusal.code == "REQUEST_ID_WRONG"


async def test_secrets_are_sealed_at_rest(app: As, db: Database) -> None:
    secret = (await rotate(app)).secret.removeprefix("whsec_")
    async with db.begin(SYSTEM) as tx:
        rows = (await tx.execute(text("SELECT * FROM webhook_secrets"))).all()
    assert rows and not any(secret.encode() in bytes(row.sealed) for row in rows)


@dataclass
class Locked:
    """A database whose rows are locked for the first transactions of a lease."""

    db: Database
    failures: int

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[Tx]:
        if self.failures:
            self.failures -= 1
            raise OperationalError("UPDATE webhooks", None, OSError("lock not available"))
        async with self.db.begin(scope) as tx:
            yield tx


@dataclass
class Accepting:
    """The HTTP client of a partner that accepts each webhook."""

    ids: list[str] = field(default_factory=list)

    async def post(self, url: str, message: Message) -> str:
        self.ids.append(message.headers["webhook-id"])
        return ""


@dataclass
class OnlyOne:
    """The register of partners, as if there were one."""

    name: str

    def callback_url(self, name: str) -> str:
        return f"https://127.0.0.1:{WEBHOOK_PORT}/tartip" if name == self.name else ""


async def test_a_database_that_is_busy_for_one_webhook_ends_no_loop_and_the_webhook_is_sent_again(
    engines: RunningTestMesh, as_: Callable[..., As], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"busy-{new_id().hex[-12:]}"
    app = await app_at(engines, as_, f"https://127.0.0.1:{WEBHOOK_PORT}/nobody-listens", name)
    lease, posts = Locked(db, failures=2), Accepting()

    @asynccontextmanager
    async def held(db: Database, name: str) -> AsyncIterator[Locked]:
        yield lease

    monkeypatch.setattr("citizen_reports.usecases.webhooks.hold", held)
    await rotate(app)
    await hand_in(app)
    partners = cast(PartnerRegister, OnlyOne(name))
    allowed = AllowedHosts(frozenset({f"127.0.0.1:{WEBHOOK_PORT}"}))
    running = asyncio.create_task(
        Webhooks(db, system_clock, partners, allowed=allowed, posts=posts).run()
    )

    async def sent_again() -> bool:
        assert not running.done(), running.exception()
        return len(posts.ids) > 2

    await until(sent_again)
    running.cancel()
    assert len(set(posts.ids)) == 1
