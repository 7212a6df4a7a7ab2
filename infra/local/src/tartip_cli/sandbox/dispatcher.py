"""The desk of the sandbox: dispatchers and supervisors who act by themselves, over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from chassis.refusals import Kind, Refusal
from law.report_outcomes import read_report_outcomes

from tartip_cli.clients.journeys import PASSING
from tartip_cli.clients.partner import Outside
from tartip_cli.sandbox.acts import Act, act_of, next_act
from tartip_cli.sandbox.triggers import unknown, words_in
from tartip_cli.topology import COUNTRY_DISPATCHER

PURPOSE = "sandbox"
PACE_SECONDS = 0.5
_PAGE = 200
# Who together see all reports that wait for the desk.
_SECURITY = "security-1"
_READERS = (COUNTRY_DISPATCHER, _SECURITY)


class Dispatcher:
    """Acts on each report that waits for the desk, one step at a time.

    `tell` gets a line of text for each step.
    """

    def __init__(self, outside: Outside, tell: Callable[[str], None]) -> None:
        self._outside = outside
        self._tell = tell
        self._outcomes = read_report_outcomes()
        # By report id, the version with which nothing more is to be done.
        self._settled: dict[str, int] = {}

    async def run(self) -> None:
        """Act until cancelled. While the mesh is away, wait for it."""
        while True:
            try:
                await self._round()
            except Refusal as refusal:
                if refusal.kind not in PASSING:
                    raise
            await asyncio.sleep(PACE_SECONDS)

    async def act(self, report_id: str, step: str, chosen: Mapping[str, object]) -> dict[str, Any]:
        """Take one step with a report, and return the report as the desk shows it then.

        `step` is the last part of the step's REST path, `chosen` has fields of the request's body;
        the sandbox adds those that are missing. Raises Refusal.
        """
        found = await self._read(report_id)
        return await self._take(found, act_of(step, found, chosen))

    async def _round(self) -> None:
        for reader in _READERS:
            for report_id, version in await self._waiting(reader):
                if self._settled.get(report_id) != version:
                    await self._consider(report_id, version, reader)

    async def _consider(self, report_id: str, version: int, reader: str) -> None:
        """Take the next step with a report of this version, or settle it."""
        try:
            found = await self._read_as(reader, report_id)
            act = next_act(found, self._outcomes)
            if act is not None:
                await self._take(found, act)
                return
            self._warn(found)
        except Refusal as refusal:
            if refusal.kind in PASSING or refusal.kind in (Kind.CONFLICT, Kind.NOT_FOUND):
                return  # it is looked at again in the next round
            self._tell(f"{report_id}: the desk was refused, {refusal.reason}")
        self._settled[report_id] = version

    async def _waiting(self, reader: str) -> list[tuple[str, int]]:
        """The reports that wait for the desk and that an operator sees: ids and versions."""
        desk, token = self._outside.as_operator(reader), ""
        waiting: list[tuple[str, int]] = []
        while True:
            page = await desk.get("/v1/reports", purpose=PURPOSE, page_size=_PAGE, page_token=token)
            shown = [one["report"] for one in page.body["reports"]]
            waiting += [(one["report_id"], int(one["version"])) for one in shown]
            token = page.body["next_page_token"]
            if not token:
                return waiting

    async def _read(self, report_id: str) -> dict[str, Any]:
        """The report, as the one of its readers sees it who may."""
        try:
            return await self._read_as(COUNTRY_DISPATCHER, report_id)
        except Refusal as refusal:
            if refusal.kind is not Kind.NOT_FOUND:
                raise
        return await self._read_as(_SECURITY, report_id)

    async def _read_as(self, reader: str, report_id: str) -> dict[str, Any]:
        desk = self._outside.as_operator(reader)
        answer = await desk.get(f"/v1/reports/{report_id}", purpose=PURPOSE)
        found: dict[str, Any] = answer.body["report"]
        return found

    async def _take(self, found: Mapping[str, Any], act: Act) -> dict[str, Any]:
        report = found["report"]
        body = {"version": report["version"], **act.body}
        desk = self._outside.as_operator(act.operator)
        answer = await desk.post(
            f"/v1/reports/{report['report_id']}/{act.step}", body, purpose=PURPOSE
        )
        after: dict[str, Any] = answer.body["report"]
        number = (report["receipt"] or {}).get("number", report["report_id"])
        self._tell(f"{number}: {act.step} by {act.operator}, now {after['report']['status']}")
        return after

    def _warn(self, found: Mapping[str, Any]) -> None:
        if wrong := unknown(words_in(found["text"]), self._outcomes):
            named = ", ".join(f"sandbox:{word}" for word in wrong)
            self._tell(f"{found['report']['report_id']}: there is no {named}")
