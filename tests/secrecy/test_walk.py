"""Nothing is seen where the table does not give it, and what it gives is seen.

A walk over every RPC and every route, as every role, unit and app, with planted values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest
from tartip_cli.clients.samples import SampleCamera
from tartip_testing.mesh import RunningTestMesh

from .asking import Asking, every_method
from .callers import Caller, every_caller
from .counting import Counts, counted
from .planted import ORIGINAL, Planted
from .planted_others import CAMERA_OWNER, OWNER, WATCHLIST, planted_others
from .routes import routes_of
from .stored import events, files, rows
from .table import Table, read_table
from .walk import Walk
from .world import DESK, SEALED, World, handed_in, planted

pytestmark = pytest.mark.mesh
PERSONAL = ("text", "reporter", "taken", "media", ORIGINAL)
# Spans and logs come a moment after the fact.
SETTLED_SECONDS = 4.0


@dataclass
class Walked:
    """A walk, and what callers were told to be there before and after two more reports."""

    walk: Walk
    callers: tuple[Caller, ...]
    added: tuple[Planted, ...]
    before: dict[str, Counts]
    after: dict[str, Counts]
    # What the live feed told each operator meanwhile.
    told: Mapping[str, bytearray]

    @property
    def world(self) -> World:
        return self.walk.world

    @property
    def table(self) -> Table:
        return self.walk.table


@pytest.fixture(scope="module")
def walked(mesh: RunningTestMesh, sample_cameras: list[SampleCamera]) -> Walked:
    async def walk() -> Walked:
        async with Asking(mesh) as asking:
            world = await planted(asking)
            callers = tuple(every_caller(world.officers))
            at_desk = [one for one in callers if one.may_call(table.rpcs[f"{DESK}/GetBoard"])]
            before = await counted(asking, at_desk)
            meant = next(
                one for one in world.reports if one.name == "complaint that means officers"
            )
            added = [
                world.planting.report("one more violence", "domestic_violence"),
                world.planting.report(
                    "one more complaint",
                    SEALED,
                    officer=meant.request.officer,
                    standing=meant.standing,
                ),
            ]
            async with asking.listening([one for one in callers if one.kind == "operator"]) as told:
                added = [await handed_in(asking, one) for one in added]
                after = await counted(asking, at_desk)
                await asyncio.sleep(SETTLED_SECONDS)
            others = await planted_others(mesh, asking, sample_cameras[0])
            made = Walk(asking, world, table, tuple(routes_of(api)), others)
            await made.all(callers)
            return Walked(made, callers, tuple(added), before, after, told)

    table = read_table()
    api = httpx.get(f"{mesh.gateway_url}/v1/openapi.json", trust_env=False).json()
    return asyncio.run(walk())


def test_every_rpc_and_every_route_was_asked(walked: Walked) -> None:
    assert walked.walk.asked == set(walked.table.rpcs) | set(walked.table.routes)
    assert set(every_method()) == set(walked.table.rpcs)


def test_nothing_is_seen_that_the_table_does_not_give(walked: Walked) -> None:
    assert not [str(one) for one in walked.walk.results if one.seen - one.expected]


def test_what_the_table_gives_is_seen(walked: Walked) -> None:
    assert not [str(one) for one in walked.walk.results if one.expected - one.seen]


def test_who_is_not_named_is_not_let_in(walked: Walked) -> None:
    assert walked.walk.let_in == []


def test_what_is_no_report_is_seen_by_its_roles_alone(walked: Walked) -> None:
    if shown := sorted(walked.walk.shown_to_others):
        pytest.fail("\n".join(shown))


@pytest.mark.parametrize("part", ["violation", "fine", CAMERA_OWNER, WATCHLIST])
def test_what_is_no_report_is_seen_by_each_role_that_may_see_it(walked: Walked, part: str) -> None:
    others = walked.walk.others
    operators = [one for one in walked.callers if one.kind == "operator"]
    may = {one.name for one in operators if others.may_see(part, one, walked.table)}
    assert {one.name for one in operators if (part, one.name) in walked.walk.shown} == may


@pytest.mark.parametrize(
    ("callers", "report"),
    [
        (("subject", "subject at the desk", "subject in every role"), "complaint settled"),
        (("subject", "subject at the desk", "subject in every role"), "raised to a complaint"),
        (("colleague", "former", "chief", "junior"), "complaint settled"),
        (("by-name", "by-badge", "by-login"), "complaint that means officers"),
    ],
)
def test_the_officer_his_unit_and_his_chain_see_nothing_of_the_complaint(
    walked: Walked, callers: tuple[str, ...], report: str
) -> None:
    """Not as internal security, nor in any other role that he may have besides."""
    results = walked.walk.results
    theirs = [one for one in results if one.report == report and one.caller in callers]
    assert {one.caller for one in theirs} == set(callers)
    assert not [str(one) for one in theirs if one.seen]


def test_a_hidden_report_changes_no_count(walked: Walked) -> None:
    """The board, the figures of units and the rows of the queue."""
    for caller in walked.callers:
        if caller.name in walked.before:
            parts = [caller.parts_of(one, walked.table) for one in walked.added]
            seen = sum("count" in one for one in parts)
            told = zip(walked.before[caller.name], walked.after[caller.name], strict=True)
            assert [after - before for before, after in told] == [seen] * 3, caller.name


def test_news_of_a_report_reach_those_alone_who_may_know_of_it(walked: Walked) -> None:
    for caller in walked.callers:
        for report in walked.added if caller.kind == "operator" else ():
            told = report.found_in(bytes(walked.told[caller.name]))
            may = "news" in caller.parts_of(report, walked.table)
            assert told == ({"known"} if may else set()), f"{report.name} to {caller.name}"


def test_nothing_personal_lies_in_tables_and_events(walked: Walked, mesh: RunningTestMesh) -> None:
    names = {one.family.encode() for one in walked.world.officers.values()}
    for name, content in asyncio.run(rows(mesh)).items():
        assert not found_in(walked, content), name
        assert not [one for one in names if one in content], name
    for subject, content in asyncio.run(events(mesh)):
        assert not found_in(walked, content), subject
        assert WATCHLIST not in walked.walk.others.found_in(content), subject


def test_events_of_complaints_have_subjects_of_their_own(
    walked: Walked, mesh: RunningTestMesh
) -> None:
    """What is told of a report before it was raised stays told."""
    sealed = [one for one in walked.world.reports if one.name.startswith("complaint")]
    told = [
        (subject, content)
        for subject, content in asyncio.run(events(mesh))
        if any(mark in content for one in sealed for mark in one.marks["known"])
    ]
    assert told
    assert all(subject.startswith("complaints.v1.") for subject, _ in told)


def test_nothing_personal_stands_in_logs_spans_and_files(
    walked: Walked, mesh: RunningTestMesh
) -> None:
    time.sleep(SETTLED_SECONDS)
    names = {one.family.encode() for one in walked.world.officers.values()}
    for name, content in files(mesh):
        assert not found_in(walked, content), name
        assert not [one for one in names if one in content], name
        assert WATCHLIST not in walked.walk.others.found_in(content), name


def found_in(walked: Walked, content: bytes) -> set[str]:
    """The personal parts of any planted report, and the owners of vehicle and camera, that the
    content shows, as text or in hex."""
    marks = {
        f"{part} of {report.name}": report.marks[part]
        for report in walked.world.reports
        for part in PERSONAL
    }
    marks |= {name: walked.walk.others.marks[name] for name in (OWNER, CAMERA_OWNER)}
    return {
        name
        for name, of_part in marks.items()
        if any(mark in content or mark.hex().encode() in content for mark in of_part)
    }
