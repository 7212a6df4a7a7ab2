"""Parts die in the middle of journeys (kill -9) and come back: every journey ends exactly once.

Outsiders do what good clients do: they try again with the same ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from chassis.refusals import Refusal
from tartip.inference.v1 import inference_pb2 as inference
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import FrameToTenge, ReportToAnswer, Watcher, patiently, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.vehicles import Vehicle
from tartip_cli.topology import SCHEMAS
from tartip_testing.mesh import RunningTestMesh, wait_until

pytestmark = pytest.mark.mesh

REPORTS = 2
SECONDS = 120.0
RED_LIGHT = {
    "signal_phase": inference.SIGNAL_PHASE_RED,
    "signal_age_seconds": 2.4,
    "past_stop_line": True,
}
KILLED_AT = {
    "triton": "sending",
    "camera-registry": "sent",
    "inference-gateway": "sending",
    "violations": "sent",
    "fines": "confirmed",
    "citizen-reports": "submitted",
    "operator-gateway": "queued",
    "nats": "sent",
    "postgres": "confirmed",
}
NIGHTLY = bool(os.environ.get("TARTIP_NIGHTLY"))
# Those that hold what may not be lost; the others by night.
KILLED_BY_DAY = ("inference-gateway", "violations", "fines", "citizen-reports", "nats", "postgres")
MOMENTS = ("sending", "sent", "queued", "confirmed", "submitted", "taken")
Reached = Callable[[str], None]


class Moments:
    """Steps that any of the journeys has reached."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def reached(self, moment: str) -> None:
        self.of(moment).set()

    def of(self, moment: str) -> asyncio.Event:
        return self._events.setdefault(moment, asyncio.Event())


@pytest.mark.parametrize("part", KILLED_AT if NIGHTLY else KILLED_BY_DAY)
async def test_journeys_end_once_though_a_part_is_killed(
    part: str, mesh: RunningTestMesh, outside: Outside, new_frame: Any, new_report: Any
) -> None:
    await walk_and_kill(part, KILLED_AT[part], mesh, outside, new_frame, new_report)


@pytest.mark.nightly
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("part", KILLED_AT)
async def test_any_part_may_be_killed_at_any_moment(
    part: str, moment: str, mesh: RunningTestMesh, outside: Outside, new_frame: Any, new_report: Any
) -> None:
    await walk_and_kill(part, moment, mesh, outside, new_frame, new_report)


async def walk_and_kill(
    part: str, moment: str, mesh: RunningTestMesh, outside: Outside, new_frame: Any, new_report: Any
) -> None:
    """Two frames and two reports on their way at once, and one part dies among them."""
    mesh.wait_ready()
    # A device sends its frames in order: two at once come from two cameras.
    frames = [new_frame(), new_frame(RED_LIGHT)]
    citizens = [new_report() for _ in range(REPORTS)]
    watcher, moments = Watcher(outside), Moments()
    walking: list[asyncio.Task[Any]] = []
    killed: list[int] = []

    async def kill() -> None:
        await moments.of(moment).wait()
        assert not all(journey.done() for journey in walking), "nothing was under way"
        killed.append(await asyncio.to_thread(mesh.kill, part))

    async with watching(watcher), asyncio.TaskGroup() as group:
        group.create_task(kill())
        paid = [
            group.create_task(pay_a_fine(journey, vehicle, moments.reached))
            for journey, vehicle in frames
        ]
        answered = [
            group.create_task(get_an_answer(journey, watcher, moments.reached))
            for journey in citizens
        ]
        walking += [*paid, *answered]
    # At first the supervisor has not noticed: all is still ready.
    await asyncio.to_thread(
        wait_until, lambda: mesh.pid(part) not in (None, *killed), seconds=SECONDS
    )
    await asyncio.to_thread(mesh.wait_ready)
    for task, (journey, _) in zip(paid, frames, strict=True):
        await assert_fined_once(mesh, journey, *task.result())
    for journey in citizens:
        await assert_answered_once(journey, watcher)
    await assert_nothing_given_up(mesh)


@pytest.mark.nightly
async def test_the_whole_jetstream_folder_may_be_lost_between_two_steps(
    mesh: RunningTestMesh, outside: Outside, new_frame: Any
) -> None:
    """The consumer stands still, so that the event is in the lost folder and nowhere beyond."""
    mesh.wait_ready()
    journey, vehicle = new_frame()
    with standing_still(mesh, "violations"):
        result = await patiently(journey.send_frame)
        await asyncio.sleep(1.0)  # the relay has published by now
        await asyncio.to_thread(lose_jetstream, mesh)
    await asyncio.to_thread(mesh.wait_ready)
    found = await wait_for(
        "the violation", lambda: journey.find_in_queue(result.evidence_sha256), seconds=SECONDS
    )
    violation_id = str(found.body["violation_id"])
    with standing_still(mesh, "fines"):
        await patiently(lambda: journey.decide(violation_id))
        await asyncio.sleep(1.0)
        await asyncio.to_thread(lose_jetstream, mesh)
    await asyncio.to_thread(mesh.wait_ready)
    fine = await wait_for("the fine", lambda: journey.find_fine(violation_id), seconds=SECONDS)
    number = str(fine.body["number"])
    await pay(journey, vehicle, number)
    await assert_fined_once(mesh, journey, result.evidence_sha256, violation_id, number)
    await assert_nothing_given_up(mesh)


async def test_the_whole_tree_may_be_killed_at_once(
    mesh: RunningTestMesh, outside: Outside, new_frame: Any
) -> None:
    """Every part but the supervisor, in the same moment, between sending and confirming."""
    mesh.wait_ready()
    journey, vehicle = new_frame()
    result = await patiently(journey.send_frame)
    for known in mesh.status()["parts"]:
        if known["name"] != "supervisor" and known["pid"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(known["pid"], signal.SIGKILL)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(mesh.wait_ready)
    found = await wait_for(
        "the violation", lambda: journey.find_in_queue(result.evidence_sha256), seconds=SECONDS
    )
    violation_id = str(found.body["violation_id"])
    await patiently(lambda: journey.decide(violation_id), seconds=SECONDS)
    fine = await wait_for("the fine", lambda: journey.find_fine(violation_id), seconds=SECONDS)
    number = str(fine.body["number"])
    await pay(journey, vehicle, number)
    await assert_fined_once(mesh, journey, result.evidence_sha256, violation_id, number)


async def pay_a_fine(
    journey: FrameToTenge, vehicle: Vehicle, reached: Reached
) -> tuple[str, str, str]:
    """Frame to tenge; gives evidence, violation and fine."""
    reached("sending")
    result = await patiently(journey.send_frame, seconds=SECONDS)
    assert vehicle.plate in [plate.text for plate in result.plates]
    reached("sent")
    found = await wait_for(
        "the violation", lambda: journey.find_in_queue(result.evidence_sha256), seconds=SECONDS
    )
    reached("queued")
    violation_id = str(found.body["violation_id"])
    await patiently(lambda: journey.decide(violation_id), seconds=SECONDS)
    reached("confirmed")
    fine = await wait_for("the fine", lambda: journey.find_fine(violation_id), seconds=SECONDS)
    number = str(fine.body["number"])
    await pay(journey, vehicle, number)
    reached("paid")
    return result.evidence_sha256, violation_id, number


async def pay(journey: FrameToTenge, vehicle: Vehicle, number: str) -> None:
    fines = await patiently(lambda: journey.look_up(vehicle.owner.number), seconds=SECONDS)
    assert [fine.number for fine in fines] == [number]
    quote = await patiently(lambda: journey.quote(number), seconds=SECONDS)
    payment = await patiently(lambda: journey.pay(quote), seconds=SECONDS)
    assert await patiently(lambda: journey.pay(quote), seconds=SECONDS) == payment


async def get_an_answer(journey: ReportToAnswer, watcher: Watcher, reached: Reached) -> None:
    await patiently(journey.open, seconds=SECONDS)
    await journey.upload()
    receipt = await patiently(journey.submit, seconds=SECONDS)
    reached("submitted")
    assert await patiently(journey.submit, seconds=SECONDS) == receipt
    await wait_for("the report", journey.find_on_desk, seconds=SECONDS)
    await act(journey, "take", then="in_work")
    reached("taken")
    said = {"answer": "Меры приняты.", "outcome": "measures_taken"}
    await act(journey, "answer", then="answered", **said)
    await wait_for(
        "the answer",
        lambda: watcher.saw(journey.report_id, reports.REPORT_STATUS_ANSWERED),
        seconds=SECONDS,
    )


async def act(journey: ReportToAnswer, step: str, *, then: str, **body: str) -> None:
    """A step whose answer was lost is recognised by what it did."""
    try:
        await patiently(lambda: journey.act(step, **body), seconds=SECONDS)
    except Refusal as refusal:
        if refusal.reason != "STATUS_NOT_ALLOWED":
            raise
        desk = journey.outside.as_operator(journey.dispatcher)
        path = f"/v1/reports/{journey.report_id}"
        found = await patiently(lambda: desk.get(path, purpose="test"), seconds=SECONDS)
        assert found.body["report"]["report"]["status"] == then


async def assert_fined_once(
    mesh: RunningTestMesh, journey: FrameToTenge, evidence: str, violation_id: str, number: str
) -> None:
    assert len(await patiently(lambda: journey.violations_of(evidence))) == 1
    desk = journey.outside.as_operator("inspector-almaty")
    found = await patiently(lambda: desk.get("/v1/fines", violation_id=violation_id))
    fines = [(fine["number"], fine["state"]) for fine in found.body["fines"]]
    assert fines == [(number, "paid")]
    finance = journey.outside.as_operator("finance-1")
    ledger = await patiently(lambda: finance.get(f"/v1/fines/{number}/entries"))
    kinds = sorted(entry["kind"] for entry in ledger.body["entries"])
    assert kinds == ["discount", "issue", "payment"]
    assert len(list(mesh.home.letters.glob(f"*{number}*"))) == 1


async def assert_answered_once(journey: ReportToAnswer, watcher: Watcher) -> None:
    desk = journey.outside.as_operator(journey.dispatcher)
    found = await patiently(  # the part that was killed may be on its way
        lambda: desk.get(f"/v1/reports/{journey.report_id}", purpose="test"), seconds=SECONDS
    )
    steps = [(step["status"], step["note"]) for step in found.body["report"]["steps"]]
    assert len(steps) == len(set(steps)), steps
    heard = [change for change in watcher.seen if change.report_id == journey.report_id]
    assert len({change.resume_token for change in heard}) == len(heard)
    statuses = [change.status for change in heard]
    assert statuses == sorted(set(statuses)), statuses


async def assert_nothing_given_up(mesh: RunningTestMesh) -> None:
    for schema in SCHEMAS:
        connection = await asyncpg.connect(mesh.database.owner_url(schema))
        given_up = await connection.fetchval(f"SELECT count(*) FROM {schema}.dead_letters")
        await connection.close()
        assert given_up == 0, schema


@contextlib.asynccontextmanager
async def watching(watcher: Watcher) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        try:
            yield
        finally:
            task.cancel()


@contextlib.contextmanager
def standing_still(mesh: RunningTestMesh, part: str) -> Any:
    """A process that does nothing for a while, and does not know it."""
    pid = mesh.pid(part)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def lose_jetstream(mesh: RunningTestMesh) -> None:
    """NATS dies with all that it kept, and comes back empty."""
    pid = mesh.kill("nats")
    shutil.rmtree(mesh.home.nats, ignore_errors=True)
    wait_until(lambda: mesh.pid("nats") not in (pid, None), seconds=60)
