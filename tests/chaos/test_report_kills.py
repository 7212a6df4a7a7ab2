"""Four partners hand in 1 000 reports while every part is killed (-9) at random.

Each accepted report exists once, is routed once, and its partner saw every change in order. The
test prints its seed; `TARTIP_SEED` sets one.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from tartip.reports.v1 import events_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_cli.clients.partner import Outside
from tartip_cli.topology import PARTNERS, SCHEMAS
from tartip_testing.mesh import RunningTestMesh, running_mesh_in

from .report_storm import Case, StormDesk, StormPartner, new_case

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

REPORTS = int(os.environ.get("TARTIP_STORM_REPORTS", "1000"))
# How often each part is in a round of kills, whose order is drawn.
VICTIMS = Counter(
    {
        "citizen-reports": 4,
        "postgres": 3,
        "nats": 2,
        "operator-gateway": 2,
        "inference-gateway": 2,
        "camera-registry": 1,
        "violations": 1,
        "fines": 1,
        "triton": 1,
    }
)
HANDING_IN, AT_THE_DESK = 5, 6
SECONDS = 240.0
_STATUS = "REPORT_STATUS_"


@pytest.fixture(scope="module")
def storm_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    yield from running_mesh_in(tmp_path_factory.mktemp("storm"), without=())


async def test_a_thousand_reports_are_taken_once_though_every_part_is_killed(
    storm_mesh: RunningTestMesh, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh, count = storm_mesh, Counter[str]()
    seed = int(os.environ.get("TARTIP_SEED") or random.randrange(10**6))
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
    rng, began = random.Random(seed), time.monotonic()
    cases = [new_case(PARTNERS[number % len(PARTNERS)], rng) for number in range(REPORTS)]
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as outside:
        partners = {name: StormPartner(name, mesh, outside, count) for name in PARTNERS}
        async with asyncio.TaskGroup() as group:
            following = [
                group.create_task(partner.follow(random.Random(rng.random())))
                for partner in partners.values()
            ]
            killing = group.create_task(kill_at_random(mesh, random.Random(rng.random()), count))
            await all_handed_in_and_worked_on(
                cases, partners, StormDesk(outside, partners, count), rng
            )
            killing.cancel()
            seconds = time.monotonic() - began
            await asyncio.to_thread(mesh.wait_ready)
            for case in cases:
                if case.gives_up and not case.number:
                    await partners[case.partner].find(case)
            accepted = [case for case in cases if case.number]
            await until_nothing_waits(mesh)
            await until_all_told(mesh, partners)
            for task in following:
                task.cancel()
        for partner in partners.values():
            await partner.close()
    found = await assert_each_is_there_once(mesh, cases)
    assert_told_in_order(accepted, partners)
    await assert_in_streams_once(mesh, found)
    await assert_nothing_given_up(mesh)
    assert_verified(mesh)
    with capsys.disabled():
        say(seed, seconds, cases, count)


async def all_handed_in_and_worked_on(
    cases: list[Case], partners: dict[str, StormPartner], desk: StormDesk, rng: random.Random
) -> None:
    """Hand all cases in, some at once for each partner, and let officers of Almaty work on theirs
    as they come."""
    accepted: asyncio.Queue[Case | None] = asyncio.Queue()

    async def work(own: random.Random) -> None:
        while (case := await accepted.get()) is not None:
            await desk.work_on(case, own)

    async with asyncio.TaskGroup() as working:
        for _ in range(AT_THE_DESK):
            working.create_task(work(random.Random(rng.random())))
        async with asyncio.TaskGroup() as handing_in:
            for partner in partners.values():
                mine = iter([case for case in cases if case.partner == partner.name])
                for _ in range(HANDING_IN):
                    own = random.Random(rng.random())
                    handing_in.create_task(hand_in_each(mine, partner, accepted, own))
        for _ in range(AT_THE_DESK):
            accepted.put_nowait(None)


async def hand_in_each(
    cases: Iterator[Case],
    partner: StormPartner,
    accepted: asyncio.Queue[Case | None],
    rng: random.Random,
) -> None:
    for case in cases:
        await partner.hand_in(case)
        if case.number and case.report.place.region == "KZ-75":
            accepted.put_nowait(case)
        await asyncio.sleep(rng.uniform(0.2, 1.5))


async def kill_at_random(mesh: RunningTestMesh, rng: random.Random, count: Counter[str]) -> None:
    """Kill parts one after another until cancelled; now and then a second one while the first is
    not back."""
    while True:
        victims = list(VICTIMS.elements())
        rng.shuffle(victims)
        for victim in victims:
            with suppress(AssertionError, ProcessLookupError):  # it is not back yet
                await asyncio.to_thread(mesh.kill, victim)
                count[f"kill {victim}"] += 1
            await asyncio.sleep(rng.uniform(0.5, 4.0))
            if rng.random() < 0.7:
                await asyncio.to_thread(mesh.wait_ready)


async def asked(mesh: RunningTestMesh, query: str, *values: object) -> list[Any]:
    """Rows of the service's schema, seen by the provisioner whom no row is hidden from."""
    connection = await asyncpg.connect(mesh.database.url)
    try:
        await connection.execute("SET search_path = citizen_reports")
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def until_nothing_waits(mesh: RunningTestMesh) -> None:
    """Wait until all that is due is done, all media are stored, all events are published."""
    waiting = (
        "SELECT (SELECT count(*) FROM work WHERE done_at IS NULL AND due_at < now())"
        " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
        " + (SELECT count(*) FROM changes WHERE sequence IS NULL)"
    )
    left = -1
    try:
        async with asyncio.timeout(SECONDS):
            while left:
                await asyncio.sleep(0.5)
                [[left]] = await asked(mesh, waiting)
    except TimeoutError:
        rows = await asked(mesh, "SELECT * FROM work WHERE done_at IS NULL AND due_at < now()")
        raise AssertionError(f"{left} things wait: {rows[:5]}") from None


async def until_all_told(mesh: RunningTestMesh, partners: dict[str, StormPartner]) -> None:
    async with asyncio.timeout(SECONDS):
        for row in await asked(mesh, "SELECT partner, last FROM partner_sequences"):
            while str(row["last"]) not in partners[row["partner"]].changes:
                await asyncio.sleep(0.2)


async def assert_each_is_there_once(mesh: RunningTestMesh, cases: list[Case]) -> list[Any]:
    """Compare the rows of the database with what was done. Returns the events of all reports."""
    rows = {str(row["report_id"]): row for row in await asked(mesh, "SELECT * FROM reports")}
    assert rows.keys() <= {case.report_id for case in cases}
    numbers = {report_id: row["number"] for report_id, row in rows.items() if row["number"]}
    assert numbers == {case.report_id: case.number for case in cases if case.number}
    assert len(set(numbers.values())) == len(numbers)
    steps = await asked(mesh, "SELECT report_id, status, actor FROM steps ORDER BY position")
    events = await events_of_reports(mesh)
    for case in cases:
        if case.number:
            row = rows[case.report_id]
            of_report = [step for step in steps if str(step["report_id"]) == case.report_id]
            told = [one for one in events if one["aggregate"] == f"report:{case.report_id}"]
            assert row["partner"] == case.partner and row["status"] == case.told[-1]
            taken = [(step["status"], step["actor"]) for step in of_report]
            if row["duplicate_of"]:  # marked by a step of the system's without an event
                del taken[max(at for at, (_, actor) in enumerate(taken) if actor == "system")]
            assert_done_once(case, taken, told)
    stored = await asked(mesh, "SELECT report_id, state, evidence_sha256 FROM media")
    with_media = {case.report_id: len(case.media) for case in cases if case.number and case.media}
    assert Counter(str(row["report_id"]) for row in stored if row["evidence_sha256"]) == with_media
    return events


async def events_of_reports(mesh: RunningTestMesh) -> list[Any]:
    return await asked(
        mesh,
        "SELECT event_id, aggregate, subject, version, payload, published_at FROM outbox"
        " WHERE aggregate LIKE 'report:%' ORDER BY position",
    )


def assert_done_once(case: Case, steps: list[tuple[str, str]], events: list[Any]) -> None:
    """Routed once by the system and as often as an officer did so; an event for each step."""
    assert steps[:2] == [("registered", "reporter"), ("routed", "system")], steps
    assert [step for step in steps if step[1] != "system"] == case.steps
    facts = Counter(one["subject"].rpartition(".")[2] for one in events)
    by_itself = facts["due_soon"] + facts["overdue"]
    assert facts["received"] == 1 and facts["routed"] == 1 + case.routes, facts
    assert facts.total() == len(steps) == len(case.steps) + 1 + by_itself, facts
    assert len({(one["subject"], one["version"]) for one in events}) == len(events)
    versions = [one["version"] for one in events]
    assert versions == list(range(versions[0], versions[0] + len(versions))), versions
    overdue = [one["payload"] for one in events if one["subject"].endswith(".overdue")]
    taken = {(found.clock, found.step) for found in map(_overdue, overdue)}
    assert len(taken) == len(overdue)


def _overdue(payload: bytes) -> events_pb2.ReportOverdue:
    return events_pb2.ReportOverdue.FromString(payload)


def assert_told_in_order(accepted: list[Case], partners: dict[str, StormPartner]) -> None:
    """Each partner saw every change of its own reports, in order, without a gap, and no other."""
    for name, partner in partners.items():
        mine = {case.report_id: case for case in accepted if case.partner == name}
        assert list(partner.changes) == [str(one + 1) for one in range(len(partner.changes))]
        seen: dict[str, list[str]] = {report_id: [] for report_id in mine}
        for change in partner.changes.values():
            assert change.number == mine[change.report_id].number
            status = pb.ReportStatus.Name(change.status).removeprefix(_STATUS).lower()
            seen[change.report_id].append(status)
        assert seen == {report_id: case.told for report_id, case in mine.items()}


async def assert_in_streams_once(mesh: RunningTestMesh, events: list[Any]) -> None:
    """Every event of a report is in JetStream, once. Clocks go on: there may be more by now."""
    published = Counter[str]()
    client = await mesh.nats_client("provisioner")
    try:
        for stream in ("REPORTS", "COMPLAINTS"):
            jetstream = client.jetstream()
            state = (await jetstream.stream_info(stream)).state
            for number in range(state.first_seq, state.last_seq + 1):
                message = await jetstream.get_msg(stream, number)
                published[(message.headers or {})["Nats-Msg-Id"]] += 1
    finally:
        await client.close()
    before = {str(event["event_id"]) for event in events if event["published_at"]}
    now = {str(event["event_id"]) for event in await events_of_reports(mesh)}
    assert before <= published.keys() <= now
    assert set(published.values()) == {1}


async def assert_nothing_given_up(mesh: RunningTestMesh) -> None:
    for schema in SCHEMAS:
        [[given_up]] = await asked(mesh, f"SELECT count(*) FROM {schema}.dead_letters")
        assert given_up == 0, schema


def assert_verified(mesh: RunningTestMesh) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "verify", "--events", "10000", "--json"],
        env={**os.environ, "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["fits"]


def say(seed: int, seconds: float, cases: list[Case], count: Counter[str]) -> None:
    ways = Counter(case.way for case in cases if case.number)
    accepted = sum(ways.values())
    lines = [
        f"seed {seed}: {accepted} of {len(cases)} reports accepted in {seconds:.0f} s,"
        f" {dict(sorted(ways.items()))}",
        f"changes {sum(len(case.told) for case in cases)},"
        f" steps of officers {sum(len(case.steps) for case in cases) - accepted}",
        *(f"{name}: {number}" for name, number in sorted(count.items())),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
