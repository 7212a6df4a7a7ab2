"""Partners and operators at work on many reports while the mesh is not to be relied on.

What each case must look like in the end is written down as it goes: `Case.steps` and
`Case.told` grow by what was done, whether or not its answer arrived at once.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from chassis.channels import peers_refusals
from chassis.clock import system_clock, to_timestamp
from chassis.refusals import Refusal
from PIL import Image
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub
from tartip_cli.clients.journeys import PASSING
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_cli.topology import CITIZEN_REPORTS
from tartip_partner import AsyncReportsClient, Identity, NoAnswer, Retries, new_id
from tartip_partner.errors import TartipError
from tartip_testing.mesh import RunningTestMesh

T = TypeVar("T")
REGIONS = {"KZ-75": (43.2389, 76.9286), "KZ-71": (51.1282, 71.4307)}
WORDS = {"kk": "Көшеде шам құлады.", "ru": "На улице упал фонарь.", "en": "A lamp fell down."}
EMERGENCIES = (
    pb.CATEGORY_ROAD_ACCIDENT,
    pb.CATEGORY_DOMESTIC_VIOLENCE,
    pb.CATEGORY_INCIDENT_WITH_CHILD,
)
WAYS = ("at_once", "at_once", "in_steps", "in_steps", "with_media")
OFFICER_OF = {pb.CATEGORY_COMPLAINT_ABOUT_OFFICER: "security-1"}
DISPATCHER = "dispatcher-almaty"
_CALL_SECONDS = 5.0
_PURPOSE = "chaos: desk"


@dataclass
class Case:
    """A report, and what has become of it as far as its partner and its officer know."""

    partner: str
    report: pb.OpenReportRequest
    way: str
    # The partner makes a single attempt, and looks at the end whether it arrived.
    gives_up: bool
    media: list[bytes] = field(default_factory=list)
    number: str = ""
    # Status and actor of each step that a person made; the status of each change for the app.
    steps: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    routes: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def report_id(self) -> str:
        return self.report.report_id

    @property
    def officer(self) -> str:
        return OFFICER_OF.get(self.report.category, DISPATCHER)

    def accept(self, number: str) -> None:
        """The partner knows that it was taken: registered by its reporter, then routed."""
        assert self.number in ("", number), f"{self.report_id}: {self.number}, then {number}"
        if not self.number:
            self.number = number
            self.steps.insert(0, ("registered", "reporter"))
            self.told[:0] = ["registered", "routed"]


@dataclass(frozen=True, kw_only=True)
class CountedRetries(Retries):
    """Retries whose repetitions are counted under a name."""

    count: Counter[str] = field(default_factory=Counter)
    name: str = "repeated calls"

    def pause(self, repetitions: int, retry_after: float | None = None) -> float:
        self.count[self.name] += 1
        return super().pause(repetitions, retry_after)


class Token:
    """A partner's place in the stream, as its own database would keep it."""

    def __init__(self) -> None:
        self.value = ""

    def load(self) -> str:
        return self.value

    def save(self, token: str) -> None:
        self.value = token


class StormPartner:
    """A partner that hands its cases in, follows all of them, and replies when it is asked."""

    def __init__(
        self, name: str, mesh: RunningTestMesh, outside: Outside, count: Counter[str]
    ) -> None:
        self.name = name
        # Every change by its token, in the order in which it arrived first.
        self.changes: dict[str, pb.WatchReportsResponse] = {}
        self._address = mesh.address(CITIZEN_REPORTS.name)
        pair = mesh.certificates.partner(name)
        authority = mesh.certificates.authority
        self._identity = Identity(ca=authority, certificate=pair.certificate, key=pair.key)
        self._stub = CitizenReportsStub(outside.as_partner(name, CITIZEN_REPORTS))
        self._count = count
        self._cases: dict[str, Case] = {}
        self.client = self._connected(CountedRetries(longest_pause_seconds=2.0, count=count))
        self._hasty = self._connected(Retries(call_seconds=1.0, total_seconds=1.0))

    async def close(self) -> None:
        await self.client.close()
        await self._hasty.close()

    async def hand_in(self, case: Case) -> None:
        """Hand a case in until its number is known; one that gives up makes one attempt."""
        self._cases[case.report_id] = case
        if case.gives_up:
            try:
                case.accept(await self._handed_in(self._hasty, case))
            except (NoAnswer, Refusal):
                self._count["given up"] += 1
            return
        while True:
            try:
                return case.accept(await self._handed_in(self.client, case))
            except NoAnswer:
                self._count["tried again after a minute"] += 1

    async def find(self, case: Case) -> None:
        """Look whether a case that was given up was taken."""
        try:
            found = await self.client.get(report_id=case.report_id)
        except TartipError as error:
            assert "REPORT_NOT_FOUND" in str(error)
            return
        if found.receipt.number:
            case.accept(found.receipt.number)

    async def follow(self, rng: random.Random) -> None:
        """Read the stream until cancelled. The program ends now and then, in the middle of a
        change, and goes on with a new connection from what it has kept."""
        token = Token()
        retries = CountedRetries(longest_pause_seconds=2.0, count=self._count, name="streams cut")
        while True:
            left = rng.randrange(20, 120)
            async with self._connected(retries) as client:
                async for change in client.watch(store=token):
                    self._note(change)
                    left -= 1
                    if left == 0:
                        break

    async def reply(self, case: Case) -> None:
        """Wait until the stream tells of a question, and reply to it."""
        await case.asked.wait()
        await self.client.reply(case.report_id, f"House {case.report_id[-4:]}.")
        case.steps.append(("in_work", "reporter"))
        case.told.append("in_work")

    def _note(self, change: pb.WatchReportsResponse) -> None:
        before = self.changes.setdefault(change.resume_token, change)
        assert before == change, f"{self.name}: another change under {change.resume_token}"
        case = self._cases.get(change.report_id)
        if case and change.status == pb.REPORT_STATUS_WAITS_FOR_REPORTER:
            case.asked.set()

    async def _handed_in(self, client: AsyncReportsClient, case: Case) -> str:
        if case.way == "with_media":
            return (await client.submit(case.report, case.media)).number
        if case.way == "in_steps":
            return (await client.hand_in(case.report)).number

        async def at_once() -> str:
            with peers_refusals():
                request = pb.HandInReportRequest(report=case.report)
                answer = await self._stub.HandInReport(request, timeout=_CALL_SECONDS)
            return str(answer.report.receipt.number)

        return await (at_once() if case.gives_up else until_answered(at_once, self._count))

    def _connected(self, retries: Retries) -> AsyncReportsClient:
        return AsyncReportsClient(self._address, self._identity, retries=retries)


class StormDesk:
    """Officers who work on cases over the gateway, one step at a time and each step once."""

    def __init__(
        self, outside: Outside, partners: dict[str, StormPartner], count: Counter[str]
    ) -> None:
        self._outside = outside
        self._partners = partners
        self._count = count

    async def work_on(self, case: Case, rng: random.Random) -> None:
        """Do a part of what can be done on a case, drawn at random."""
        if rng.random() < 0.3 and case.officer == DISPATCHER:
            await self._act(case, "route", "routed", unit="KZ-75-manual", reason="Nearer.")
            case.routes += 1
        if rng.random() < 0.2:
            return
        await self._act(case, "take", "in_work")
        if case.report.category in EMERGENCIES:
            await self._act(case, "record-arrival", "in_work")
        if rng.random() < 0.4:
            await self._act(case, "ask", "waits_for_reporter", question="Which house?")
            await self._partners[case.partner].reply(case)
        if rng.random() < 0.7:
            said = {"answer": "It was put right on the spot.", "outcome": "measures_taken"}
            await self._act(case, "answer", "answered", **said)

    async def _act(self, case: Case, step: str, then: str, **body: str) -> None:
        """Make a step for the version that is shown. Whether one without an answer was made is
        seen in the report's steps."""
        desk, path = self._outside.as_operator(case.officer), f"/v1/reports/{case.report_id}"
        made = sum(actor == case.officer for _, actor in case.steps)

        async def once() -> None:
            shown = (await desk.get(path, purpose=_PURPOSE)).body["report"]
            if sum(one["actor"] == case.officer for one in shown["steps"]) > made:
                self._count["steps whose answer was lost"] += 1
                return
            body["version"] = shown["report"]["version"]
            await desk.post(f"{path}/{step}", body, purpose=_PURPOSE)

        await until_answered(once, self._count, also=("REPORT_CHANGED_MEANWHILE",))
        case.steps.append((then, case.officer))
        # An app is also told that somebody came, and that another unit has it.
        if then != case.told[-1] or step in ("record-arrival", "route"):
            case.told.append(then)


async def until_answered(
    step: Callable[[], Awaitable[T]], count: Counter[str], also: tuple[str, ...] = ()
) -> T:
    """Repeat a step while nobody knows what became of it, or it is refused for a reason in
    `also`."""
    while True:
        try:
            return await step()
        except Refusal as refusal:
            if refusal.kind not in PASSING and refusal.reason not in also:
                raise
            count["repeated calls"] += 1
        await asyncio.sleep(0.5)


def new_case(partner: str, rng: random.Random) -> Case:
    """A report of any kind, region and language, named or anonymous."""
    category: Any = rng.choice(list(pb.Category.values())[1:])
    region = rng.choice(("KZ-75", "KZ-75", "KZ-71"))
    latitude, longitude = (degree + rng.uniform(-0.02, 0.02) for degree in REGIONS[region])
    language, word = rng.choice(list(WORDS.items()))
    is_named, is_complaint = rng.random() < 0.6, category == pb.CATEGORY_COMPLAINT_ABOUT_OFFICER
    report = pb.OpenReportRequest(
        report_id=new_id(),
        category=category,
        place=common_pb2.Place(latitude=latitude, longitude=longitude, region=region),
        occurred_at=to_timestamp(system_clock() - timedelta(minutes=rng.randrange(1, 90))),
        text=f"{word} {rng.randrange(10**6)}",
        language=language,
        officer="Unknown, of the patrol" if is_complaint else "",
        reporter=pb.Reporter(iin=synthetic_iin(rng), name="Sample Witness") if is_named else None,
    )
    way = rng.choice(WAYS)
    media = [photograph(rng) for _ in range(rng.randrange(1, 3))] if way == "with_media" else []
    return Case(partner, report, way, gives_up=rng.random() < 0.08, media=media)


def photograph(rng: random.Random) -> bytes:
    written = io.BytesIO()
    colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    picture = Image.new("RGB", (640, 480), colour)
    for _ in range(40):
        spot = (rng.randrange(600), rng.randrange(440))
        picture.paste((rng.randrange(256),) * 3, (*spot, spot[0] + 30, spot[1] + 30))
    picture.save(written, "JPEG")
    return written.getvalue()
