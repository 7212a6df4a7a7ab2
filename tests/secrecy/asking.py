"""Asks a running mesh: RPCs of the contracts and routes of the gateway, as any caller.

Requests are made from descriptors. Answers come as bytes, in which planted values are searched.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import httpx
import tartip
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.grpc_status import from_error
from chassis.purpose import purpose_metadata
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from host.channels import RenewingChannels
from tartip_cli.supervisor.oidc import Issuer
from tartip_cli.topology import (
    CAMERA_REGISTRY,
    CITIZEN_REPORTS,
    FINES,
    INFERENCE_GATEWAY,
    VIOLATIONS,
    Operator,
    Service,
)
from tartip_testing.mesh import RunningTestMesh

from .callers import Caller

PURPOSE = "walk"
SECONDS = 20.0
# How long a stream that stays open is read without a message, and until its first one.
QUIET_SECONDS, FIRST_SECONDS = 1.0, 5.0
MESSAGES_MAX = 2000
PAGES_MAX = 100
# Answers of a busy mesh, after which a call is repeated.
BUSY = ("SHARE_EXCEEDED", "OVERLOADED", "UNAVAILABLE", "STORAGE_AWAY", "DEADLINE_EXCEEDED")
# A call that is refused while it still sends may end in either way.
CUT_OFF = ("INTERNAL", "CANCELLED")
TRIES_MAX = 40
SERVERS: Mapping[str, tuple[Service, ...]] = {
    "tartip.reports.v1": (CITIZEN_REPORTS,),
    "tartip.cameras.v1": (CAMERA_REGISTRY,),
    "tartip.inference.v1": (INFERENCE_GATEWAY,),
    "tartip.violations.v1": (VIOLATIONS,),
    "tartip.fines.v1": (FINES,),
    "tartip.partners.v1": (FINES, CITIZEN_REPORTS),
    "tartip.audit.v1": (CITIZEN_REPORTS, CAMERA_REGISTRY, INFERENCE_GATEWAY, VIOLATIONS, FINES),
}


def servers_of(method: MethodDescriptor) -> tuple[Service, ...]:
    """Return the services that answer a method; all that have data answer for their audit logs."""
    service = method.containing_service
    return (FINES,) if service.name == "Witnesses" else SERVERS[service.file.package]


@dataclass(frozen=True)
class Outcome:
    """What a call answered: a refusal's code with all that it says, or content."""

    code: str
    content: bytes

    def without(self, *asked: str) -> Outcome:
        """Return the outcome without the values that were asked for, which a refusal may repeat."""
        content = self.content
        for value in asked:
            content = content.replace(value.encode(), b"?")
        return Outcome(self.code, content)


def contracts() -> Iterator[ModuleType]:
    """The modules of all contracts, which define the services."""
    for folder in map(Path, tartip.__path__):
        for path in sorted(folder.rglob("*_pb2.py")):
            name = path.relative_to(folder.parent).with_suffix("")
            yield importlib.import_module(".".join(name.parts))


@cache
def every_method() -> Mapping[str, MethodDescriptor]:
    """All RPCs of the contracts, by "package.Service/Method"."""
    return {
        f"{service.full_name}/{method.name}": method
        for contract in contracts()
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def request_of(method: MethodDescriptor, values: Mapping[str, Any]) -> Any:
    """Return a request with the given values in the fields of these names, at any depth, and with
    the largest page; the rest stays empty."""
    request = GetMessageClass(method.input_type)()
    _fill(request, values)
    return request


def _fill(message: Any, values: Mapping[str, Any]) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name == "page":
            message.page.size = 200
        elif field.name in values and not field.is_repeated:
            _set(message, field, values[field.name])


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if isinstance(value, Mapping):
        _fill(getattr(message, field.name), value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    elif field.enum_type is not None:
        setattr(message, field.name, field.enum_type.values_by_name[value].number)
    else:
        setattr(message, field.name, value)


def searchable(message: Message) -> bytes:
    """A message as bytes and as text, in which times and numbers are found as people write them."""
    content = message.SerializeToString()
    return content + b"\n" + _as_text(message.DESCRIPTOR, content)


@lru_cache(maxsize=4096)
def _as_text(kind: Descriptor, content: bytes) -> bytes:
    """A message of a type as text. Many callers are answered the same."""
    message = GetMessageClass(kind).FromString(content)
    return MessageToJson(message, ensure_ascii=False).encode()


class Asking:
    """Calls a mesh as any caller. `async with` closes the connections."""

    def __init__(self, mesh: RunningTestMesh) -> None:
        self._mesh = mesh
        self._channels: dict[tuple[str, str], RenewingChannels] = {}
        self._issuer = Issuer.open(mesh.home.oidc, mesh.oidc_issuer)
        self._http = httpx.AsyncClient(
            base_url=mesh.gateway_url,
            timeout=SECONDS,
            trust_env=False,
            limits=httpx.Limits(keepalive_expiry=2.0),
        )

    async def __aenter__(self) -> Asking:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        for channels in self._channels.values():
            await channels.close()

    async def answer(
        self, caller: Caller, name: str, request: Any, server: Service = CITIZEN_REPORTS
    ) -> Any:
        """Return the answer of a method, "package.Service/Method", which is not refused."""
        call = self._call(caller, every_method()[name], server)
        return await call(request, timeout=SECONDS, metadata=self._metadata(caller))

    async def content(self, caller: Caller, name: str, request: Any) -> bytes:
        """Return what a method streams in the field `content`."""
        call = self._call(caller, every_method()[name], CITIZEN_REPORTS)
        answers = call(request, timeout=SECONDS, metadata=self._metadata(caller))
        return b"".join([answer.content async for answer in answers])

    async def rpc(
        self, caller: Caller, method: MethodDescriptor, request: Any, server: Service
    ) -> Outcome:
        """Call a method, with all its pages; a caller beyond his share waits and calls again."""
        for _ in range(TRIES_MAX):
            try:
                return Outcome("", await self._answers(caller, method, request, server))
            except grpc.aio.AioRpcError as error:
                refusal: Any = from_error(error)
                repeated = (*BUSY, *CUT_OFF) if method.client_streaming else BUSY
                if refusal.code not in repeated:
                    said = f"{refusal.code} {refusal.message} {refusal.facts} {refusal.fields}"
                    return Outcome(refusal.code, said.encode() + str(error.details()).encode())
                await asyncio.sleep(refusal.retry_seconds or 0.2)
        raise AssertionError(f"{caller.name} stays beyond his share")

    async def _answers(
        self, caller: Caller, method: MethodDescriptor, request: Any, server: Service
    ) -> bytes:
        call = self._call(caller, method, server)
        metadata = self._metadata(caller)
        if method.client_streaming:
            request = iter([request])
        if method.server_streaming:
            opened = call(request, metadata=metadata)
            is_endless = method.name.startswith("Watch")
            told = _while_told(opened) if is_endless else opened
            found = [searchable(message) async for message in told]
            opened.cancel()
            return b"\n".join(found)
        found = []
        for _ in range(PAGES_MAX):
            answer = await call(request, timeout=SECONDS, metadata=metadata)
            found.append(searchable(answer))
            token = getattr(answer, "next_page_token", "")
            if not token:
                break
            request.page.token = token
        return b"\n".join(found)

    def _call(self, caller: Caller, method: MethodDescriptor, server: Service) -> Any:
        channel = self._channel(caller).to(self._mesh.address(server.name), server.name)
        shape = f"{'stream' if method.client_streaming else 'unary'}_"
        shape += "stream" if method.server_streaming else "unary"
        return getattr(channel, shape)(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )

    def _channel(self, caller: Caller) -> RenewingChannels:
        kind, name = caller.kind, caller.name
        if kind == "operator":
            kind, name = "service", "operator-gateway"
        if (kind, name) not in self._channels:
            pair = getattr(self._mesh.certificates, kind)(name)
            self._channels[kind, name] = RenewingChannels(
                cert=pair.certificate, key=pair.key, ca=self._mesh.certificates.authority
            )
        return self._channels[kind, name]

    def _metadata(self, caller: Caller) -> tuple[tuple[str, str | bytes], ...]:
        if caller.kind == "partner":
            return ()
        if caller.kind != "operator":
            return purpose_metadata(PURPOSE)
        return (("authorization", f"Bearer {self.token(caller)}"), *purpose_metadata(PURPOSE))

    def token(self, caller: Caller) -> str:
        """Return a token, signed as the issuer of trials does, for an operator unknown to it."""
        operator = Operator(
            id=caller.log_in, name=caller.name, roles=caller.roles, regions=caller.regions
        )
        return self._issuer.token(operator)

    @asynccontextmanager
    async def listening(self, callers: Iterable[Caller]) -> AsyncIterator[Mapping[str, bytearray]]:
        """Keep a live feed open as each caller; yield what each is told, by the caller's name."""
        told = {caller.name: bytearray() for caller in callers}
        async with asyncio.TaskGroup() as group:
            listeners = [
                group.create_task(self._listen(caller, told[caller.name])) for caller in callers
            ]
            async with asyncio.timeout(SECONDS):
                while not all(told.values()):
                    await asyncio.sleep(0.1)
            yield told
            for listener in listeners:
                listener.cancel()

    async def _listen(self, caller: Caller, told: bytearray) -> None:
        headers = {"authorization": f"Bearer {self.token(caller)}"}
        async with self._http.stream("GET", "/v1/events", headers=headers) as answer:
            assert answer.status_code == 200, f"{answer.status_code} to {caller.name}"
            async for piece in answer.aiter_bytes():
                told.extend(piece)

    async def rest(
        self, caller: Caller, method: str, path: str, *, query: Any = None, body: Any = None
    ) -> Outcome:
        """Call a route of the gateway; its answer is searched with its headers."""
        headers = {"authorization": f"Bearer {self.token(caller)}", "tartip-purpose": PURPOSE}
        for _ in range(TRIES_MAX):
            try:
                async with self._http.stream(
                    method, path, params=query, json=body, headers=headers
                ) as answer:
                    content = await _read(answer)
                if answer.status_code not in (429, 503, 504):
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.5)
        else:
            raise AssertionError(f"{method} {path} is not answered to {caller.name}")
        told = {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}
        if answer.is_error:
            return Outcome(str(json.loads(content).get("reason")), content)
        readable = unescaped(content) + b"\n".join(decoded(content))
        return Outcome("", content + b"\n" + json.dumps(told).encode() + readable)


# Of a response: they differ between any two.
OWN_HEADERS = ("date", "tartip-trace", "content-length")


def unescaped(content: bytes) -> bytes:
    """Return JSON in which letters that are not ASCII are written as escapes, with the letters;
    nothing where there is no escape."""
    if b"\\u" not in content:
        return b""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)).encode("utf-8", "replace"), content)


def decoded(content: bytes) -> list[bytes]:
    """The entries of a log in an answer, which JSON has in Base64."""
    return [base64.b64decode(found) for found in _CANONICAL.findall(content)]


_CANONICAL = re.compile(rb'"canonical":\s*"([A-Za-z0-9+/=]*)"')
_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")


async def _read(answer: httpx.Response) -> bytes:
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return await answer.aread()
    pieces, found = answer.aiter_bytes(), bytearray()
    try:
        while True:
            found += await asyncio.wait_for(anext(pieces), QUIET_SECONDS)
    except (TimeoutError, StopAsyncIteration):
        return bytes(found)


async def _while_told(stream: Any) -> AsyncIterator[Any]:
    """Yield what a stream tells until it ends or is quiet."""
    messages = aiter(stream)
    for number in range(MESSAGES_MAX):
        seconds = QUIET_SECONDS if number else FIRST_SECONDS
        try:
            yield await asyncio.wait_for(anext(messages), seconds)
        except (TimeoutError, StopAsyncIteration):
            return


def stale_values(report_id: str, number: str) -> dict[str, Any]:
    """Values for every request at the desk about a report, of a version that it never has: who may
    see it is told that it has changed, and nothing is done."""
    now = system_clock()
    return {
        "report_id": report_id,
        "number": number,
        "version": 10**9,
        "unit": "KZ-75-duty",
        "reason": "needs_information",
        "question": "Where exactly was it, please?",
        "answer": "Measures were taken at once.",
        "outcome": "measures_taken",
        "template": "passed-on",
        "parent_id": report_id,
        "plate": "777TTP02",
        "offence_code": "RED_LIGHT",
        "category": "CATEGORY_COMPLAINT_ABOUT_OFFICER",
        "working_days": 3,
        "subject": {"unit": "KZ-75-duty"},
        "registered_from": to_timestamp(now - timedelta(days=30)),
        "registered_until": to_timestamp(now),
        "request_id": str(new_id()),
    }
