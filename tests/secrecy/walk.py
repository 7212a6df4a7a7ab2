"""Walks every RPC and every route as every caller, and holds what is seen against the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from chassis.clock import new_id, system_clock
from google.protobuf.descriptor import MethodDescriptor
from law.zone import almaty_day
from tartip_cli.topology import Service

from .asking import Asking, Outcome, every_method, request_of, servers_of, stale_values
from .callers import Caller
from .planted import Planted
from .planted_others import PlantedOthers
from .routes import Route, asked, body_for
from .table import Surface, Table
from .world import World

LOG = "tartip.audit.v1.Audit/ListEntries"
LOGS = (LOG, "tartip.audit.v1.Audit/ListAttempts")
SEALED_SECONDS = 120.0
READS = (
    "Get",
    "List",
    "Search",
    "Find",
    "Count",
    "OpenEvidence",
    "Watch",
    "Look",
    "Quote",
    "Prove",
)
CALLERS_AT_ONCE = 8
NO_NUMBER = "KZ75-2026-0000000"
# What a surface calls the id of a report.
KNOWN_AS = ("found", "trail", "attempts", "news")
# A read whose route takes a body.
SEARCH = "/SearchReports"
# Of parts that an answer is not searched for: counts are compared, the rest is of no report.
REPORT_PARTS = (
    *("known", "text", "reporter", "taken", "media", "blurred", "subject"),
    *KNOWN_AS,
)
# Decisions of an app about its own report would be taken.
DECISIONS = ("WithdrawReport", "ReplyToQuestion", "DisputeAnswer", "DropMedia", "PutMedia")
# Reads are tried with all reports; the rest, about which the same rows decide, with these.
DECIDED = ("violence", "complaint that means officers", "complaint settled")
ROUTED = ("violence", "complaint settled")
# A route may refuse a request before its owner refuses the caller.
NOT_LET_IN = ("NOT_ALLOWED", "BAD_REQUEST", "IF_MATCH_REQUIRED")


class Phase(Enum):
    """When something is asked."""

    CALLS = 1
    LOGS = 2


def phase_of(name: str) -> Phase:
    """Return when an RPC or a route is asked."""
    return Phase.LOGS if name in LOGS else Phase.CALLS


@dataclass(frozen=True)
class Seen:
    """What a caller saw of a report in an answer, and what the table says."""

    surface: str
    caller: str
    report: str
    seen: frozenset[str]
    expected: frozenset[str]

    def __str__(self) -> str:
        more, less = sorted(self.seen - self.expected), sorted(self.expected - self.seen)
        return f"{self.surface} as {self.caller}, of {self.report}: more {more}, less {less}"


@dataclass
class Walk:
    """Asks, and gathers what was seen."""

    asking: Asking
    world: World
    table: Table
    routes: tuple[Route, ...]
    others: PlantedOthers
    results: list[Seen] = field(default_factory=list)
    # What is of no report and was shown where the table does not give it.
    shown_to_others: list[str] = field(default_factory=list)
    # Which parts of what is of no report were shown to whom.
    shown: set[tuple[str, str]] = field(default_factory=set)
    # Who was answered otherwise than "not allowed" where the table does not name him.
    let_in: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    async def all(self, callers: Sequence[Caller]) -> None:
        """Ask everything as everybody, the logs when they have all that happened before."""
        operators = [caller for caller in callers if caller.kind == "operator"]
        for phase in Phase:
            if phase is Phase.LOGS:
                await self._sealed()
            await self._each(callers, partial(self.rpcs_of, phase=phase))
            await self._each(operators, partial(self.routes_of, phase=phase))

    async def _each(
        self, callers: Iterable[Caller], of_each: Callable[[Caller], Awaitable[None]]
    ) -> None:
        places = asyncio.Semaphore(CALLERS_AT_ONCE)

        async def of_one(caller: Caller) -> None:
            async with places:
                await of_each(caller)

        async with asyncio.TaskGroup() as group:
            for caller in callers:
                group.create_task(of_one(caller))

    async def _sealed(self) -> None:
        """Wait until the newest plain report stands in the log that auditors read."""
        method = every_method()[LOG]
        plain = next(one for one in self.world.reports if one.name == "incident")
        auditor = Caller("auditor", "operator", "walk-auditor", ("auditor",), ("*",))
        until = time.monotonic() + SEALED_SECONDS
        while True:
            request = request_of(method, {})
            told = await self.asking.rpc(auditor, method, request, servers_of(method)[0])
            if "known" in plain.found_in(told.content):
                return
            assert time.monotonic() < until, "the log is not sealed"
            await asyncio.sleep(1)

    async def rpcs_of(self, caller: Caller, *, phase: Phase) -> None:
        """Call every RPC as a caller: once, or where it is asked about a report, once for each."""
        for name, method in every_method().items():
            if phase_of(name) is not phase:
                continue
            surface = self.table.rpcs[name]
            self.asked.add(name)
            servers = servers_of(method)
            for server in servers if caller.may_call(surface) else servers[:1]:
                ask = _asking_rpc(self.asking, caller, method, server)
                if not caller.may_call(surface):
                    self._expect(name, caller, await ask({}), ("NOT_ALLOWED",))
                elif _is_of_a_report(method):
                    is_read = method.name.startswith(READS)
                    reports = self.world.reports if is_read else self.world.named(*DECIDED)
                    await self._of_reports(surface, caller, ask, reports)
                else:
                    is_read = method.name.startswith(READS)
                    outcome = await ask({**_values(), **self.others.values} if is_read else {})
                    # The first service is the one that has reports.
                    has_all = is_read and server is servers[0]
                    self._compare(surface, caller, outcome, has_all=has_all)

    async def routes_of(self, caller: Caller, *, phase: Phase) -> None:
        """Ask every route of the gateway as an operator."""
        for route in self.routes:
            surface = self.table.routes[route.name]
            if phase_of(surface.passes_on or route.name) is not phase:
                continue
            self.asked.add(route.name)
            may_call = not surface.asks or caller.may_call(surface)
            values = self.others.values if route.method == "GET" else {}
            paths = (route.path,) if route.is_of_a_report else tuple(route.paths(values))
            for path in paths if may_call else paths[:1]:
                ask = _asking_route(self.asking, caller, route, path)
                if not may_call:
                    outcome = await ask({"report_id": str(new_id()), "number": NO_NUMBER})
                    self._expect(route.name, caller, outcome, NOT_LET_IN)
                elif route.is_of_a_report:
                    await self._of_reports(surface, caller, ask, self.world.named(*ROUTED))
                else:
                    is_read = route.method == "GET" or surface.passes_on.endswith(SEARCH)
                    outcome = await ask(_values() if is_read else {})
                    has_all = is_read and path is paths[0]
                    self._compare(surface, caller, outcome, has_all=has_all)

    async def _of_reports(
        self,
        surface: Surface,
        caller: Caller,
        ask: Callable[[Mapping[str, Any]], Awaitable[Outcome]],
        reports: Iterable[Planted],
    ) -> None:
        nowhere = str(new_id())
        nothing = await ask(stale_values(nowhere, NO_NUMBER) | {"media_id": str(new_id())})
        for report in reports:
            decides = surface.name.rpartition("/")[2] in DECISIONS
            if decides and report.partner == caller.name:
                continue
            values = stale_values(report.report_id, report.number)
            values |= {"media_id": report.media_id, "first_frame": report.filmed}
            outcome = await ask(values)
            is_hidden = outcome.code and outcome.without(report.report_id) == nothing.without(
                nowhere
            )
            seen = set() if is_hidden else {"known"}
            if not outcome.code:
                seen |= report.found_in(outcome.content)
            if seen and surface.shows >= {"subject"} and outcome.code != "NOT_A_COMPLAINT":
                seen |= {"subject"} if "complaint_about" in report.kind else set()
            self._look_for_others(surface, caller, outcome)
            has = caller.parts_of(report, self.table)
            answers = surface.shows if not outcome.code else surface.shows & {"known", "subject"}
            self._note(surface, caller, report, seen, has & {*answers, "known"})

    def _compare(
        self, surface: Surface, caller: Caller, outcome: Outcome, *, has_all: bool
    ) -> None:
        """Compare what an answer shows of each report; only one that `has_all` must show all but
        news: of those there are some only where a clock ended just then."""
        content = b"" if outcome.code else outcome.content
        self._look_for_others(surface, caller, outcome)
        for report in self.world.reports:
            seen = report.found_in(content)
            for part in KNOWN_AS:
                if part in surface.shows and "known" in seen:
                    seen = seen - {"known"} | {part}
            may = caller.parts_of(report, self.table) & surface.shows
            expected = may - {"news"} | may & seen if has_all else may & seen
            self._note(surface, caller, report, seen, expected)

    def _expect(self, name: str, caller: Caller, outcome: Outcome, codes: Iterable[str]) -> None:
        if outcome.code not in codes:
            self.let_in.append(f"{name} as {caller.name}: {outcome.code or 'answered'}")

    def _note(
        self,
        surface: Surface,
        caller: Caller,
        report: Planted,
        seen: set[str],
        expected: Iterable[str],
    ) -> None:
        may = frozenset(expected) & frozenset(REPORT_PARTS)
        self.results.append(Seen(surface.name, caller.name, report.name, frozenset(seen), may))

    def _look_for_others(self, surface: Surface, caller: Caller, outcome: Outcome) -> None:
        may = "officer" in surface.shows and caller.may_see("officer", self.table)
        marks = [one.family.encode() for one in self.world.unnamed]
        if not may and any(mark in outcome.content for mark in marks):
            self.shown_to_others.append(f"{surface.name} as {caller.name} names an officer")
        # A refusal may repeat the number that it was asked by.
        for part in self.others.found_in(outcome.content) if not outcome.code else ():
            if part in surface.shows:
                self.shown.add((part, caller.name))
            if not self.others.may_show(part, surface, caller, self.table):
                self.shown_to_others.append(f"{surface.name} as {caller.name} shows {part}")


def _values() -> dict[str, Any]:
    """What every list is asked for: all that there is."""
    today = almaty_day(system_clock()).isoformat()
    always = {
        "words": "walking, what happens; texts",
        "resume_token": "0",
        "reason": "LOOKUP_REASON_OWNER",
        "tree_size": 1,
        "day": today,
    }
    return always | {
        name: value
        for name, value in stale_values("", "").items()
        if name in ("registered_from", "registered_until")
    }


def _is_of_a_report(method: MethodDescriptor) -> bool:
    return any(one.name == "report_id" for one in method.input_type.fields) and (
        method.containing_service.file.package == "tartip.reports.v1"
        and method.name not in ("OpenReport",)
    )


def _asking_rpc(
    asking: Asking, caller: Caller, method: MethodDescriptor, server: Service
) -> Callable[[Mapping[str, Any]], Awaitable[Outcome]]:
    async def ask(values: Mapping[str, Any]) -> Outcome:
        return await asking.rpc(caller, method, request_of(method, values), server)

    return ask


def _asking_route(
    asking: Asking, caller: Caller, route: Route, path: str
) -> Callable[[Mapping[str, Any]], Awaitable[Outcome]]:
    async def ask(values: Mapping[str, Any]) -> Outcome:
        at = next(route.paths(values)) if route.is_of_a_report else path
        return await asked(asking, caller, route, at, body_for(route, values))

    return ask
