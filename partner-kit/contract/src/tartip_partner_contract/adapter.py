"""The bank's adapter as the kit drives it: five HTTP verbs and its endpoint of webhooks, which
README.md describes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx
from google.protobuf.json_format import MessageToDict
from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner_contract.authority import Pair
from tartip_partner_contract.webhooks import SignedWebhook
from tartip_partner_contract.wrong import Wrong


class AdapterAway(Exception):
    """Nothing answers at the adapter's address."""


@dataclass(frozen=True)
class Answer:
    """What a verb answered: the HTTP status and the JSON body."""

    status: int
    body: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.status == 200

    @property
    def wrong_fields(self) -> set[str]:
        """The names of the fields that a refusal tells."""
        told = self.body.get("fields")
        found = told if isinstance(told, list) else []
        return {str(one.get("field")) for one in found if isinstance(one, dict)}

    @property
    def languages(self) -> set[str]:
        """The languages of the texts that a refusal tells."""
        told = self.body.get("texts")
        return set(told) if isinstance(told, dict) else set()


@dataclass(frozen=True)
class Setting:
    """What the adapter is told of the server: its address and authority, and the secrets that sign
    its webhooks, the newest first."""

    address: str
    ca: bytes
    webhook_secrets: tuple[str, ...] = ()


class Adapter:
    """Each verb raises Wrong if no answer comes in time, or one that is not of the form that
    README.md asks for. It raises AdapterAway if nothing has answered yet at all."""

    def __init__(self, url: str, *, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._has_answered = False
        self._http = httpx.AsyncClient(base_url=url, timeout=wait_seconds, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def configure(
        self, setting: Setting, pair: Pair, *, follow: bool = False, reset: bool = True
    ) -> None:
        told = {
            "address": setting.address,
            "ca": setting.ca.decode(),
            "certificate": pair.certificate.decode(),
            "key": pair.key.decode(),
            "webhook_secrets": list(setting.webhook_secrets),
            "follow": follow,
            "reset": reset,
        }
        answer = await self._ask("POST", "/configure", told)
        if answer.status not in (200, 204):
            raise Wrong(f"POST /configure answered {answer.status}")

    async def submit(self, report: pb.OpenReportRequest, *media: bytes) -> Answer:
        encoded = [{"content": base64.b64encode(content).decode()} for content in media]
        given = MessageToDict(report, preserving_proto_field_name=True)
        return await self._ask("POST", "/submit", {"report": given, "media": encoded})

    async def report(self, report_id: str) -> Answer:
        return await self._ask("GET", f"/reports/{report_id}")

    async def changes(self) -> list[dict[str, Any]]:
        """The changes that the adapter has acted on since the last reset, in order."""
        answer = await self._ask("GET", "/changes")
        changes = answer.body.get("changes")
        is_list = isinstance(changes, list) and all(isinstance(one, dict) for one in changes)
        if not answer.is_good or not is_list:
            raise Wrong(f"GET /changes answered {answer.status} without a list of changes")
        return list(changes or ())

    async def reply(self, report_id: str, text: str) -> Answer:
        return await self._ask("POST", "/reply", {"report_id": report_id, "text": text})

    async def webhook(self, sent: SignedWebhook) -> Answer:
        """Send a webhook to the adapter's own endpoint, byte for byte."""
        return await self._send("POST", "/webhook", content=sent.body, headers=sent.headers)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        return await self._send(method, path, json=body)

    async def _send(self, method: str, path: str, **content: Any) -> Answer:
        try:
            response = await self._http.request(method, path, **content)
        except httpx.TimeoutException as error:
            raise Wrong(
                f"{method} {path} was not answered within {self._wait_seconds:g} seconds"
            ) from error
        except httpx.TransportError as error:
            if self._has_answered:
                raise Wrong(f"{method} {path} found no adapter any more: {error}") from error
            raise AdapterAway(str(error)) from error
        self._has_answered = True
        if response.status_code == 204 or not response.content:
            return Answer(response.status_code, {})
        try:
            found = response.json()
        except ValueError as error:
            raise Wrong(f"{method} {path} did not answer with JSON") from error
        return Answer(response.status_code, found if isinstance(found, dict) else {})
