"""What the bench makes of what it measured; that it measures is seen by running it."""

from collections import Counter
from dataclasses import replace

import pytest
from citizen_reports.storage import text_index
from tartip.cameras.v1 import cameras_pb2
from tartip.inference.v1 import streams_pb2 as pb
from tartip_bench.beside_bare import Round, compared
from tartip_bench.fairness.measure import Flow as PartnersFlow
from tartip_bench.fairness.measure import Phase, figures
from tartip_bench.outcomes import Figure, Outcome, Spread, attempted
from tartip_bench.overload import Flow
from tartip_bench.partner_load import in_turn
from tartip_bench.profile import Profile, by_library
from tartip_bench.register.questions import questions
from tartip_bench.report import page
from tartip_bench.reports import texts
from tartip_bench.watching import Ledger
from tartip_cli.failures import Exit, Failure


def outcome(*, met: bool, part: str = "p") -> Outcome:
    figures = (Figure(name="share", measured="0.80", bare="1.00", target="at least 0.9", met=met),)
    return Outcome(part=part, title="Pictures", figures=figures, notes=("Told | plainly.",))


def test_a_spread_tells_the_median_with_the_least_and_the_greatest() -> None:
    assert Spread.of([3.0, 1.0, 2.0]).text(1) == "2.0 (1.0 to 3.0)"
    assert Spread.of([2.0]).text(1) == "2.0"


def test_what_misses_its_target_is_named_at_the_end() -> None:
    written = page([outcome(met=False)], quick=True, order=("p",))
    assert "Pictures: share is 0.80, aimed at: at least 0.9" in written.partition("misses")[2]
    assert "Nothing." in page([outcome(met=True)], quick=True, order=("p",)).partition("misses")[2]


def test_a_run_of_one_part_leaves_the_others_as_they_are() -> None:
    order = ("a", "p")
    both = page([outcome(met=False), outcome(met=True, part="a")], quick=False, order=order)
    again = page([outcome(met=True)], quick=True, order=order, known=both)
    assert [line for line in again.splitlines() if line.startswith("<!--")] == [
        "<!-- part: a -->",
        "<!-- part: p -->",
    ]
    assert "A full run" in again and "A quick run" in again
    assert "Nothing." in again.partition("misses")[2]


def test_what_breaks_a_rule_is_named_and_what_is_only_slow_is_not() -> None:
    rule = Figure(name="a word: read for it", measured="1 scan", target="no scan", met=False)
    slow = outcome(met=False)
    assert slow.broken == []
    broken = replace(slow, figures=(*slow.figures, replace(rule, is_rule=True)))
    assert broken.broken == ["p: a word: read for it is 1 scan, aimed at: no scan"]


async def test_a_step_that_fails_says_why_and_leaves_the_figures_of_the_others() -> None:
    kept = Figure(name="uploads", measured="9 MiB/s")

    async def measured() -> list[Figure]:
        return [kept]

    async def refused() -> list[Figure]:
        raise ExceptionGroup("streams", [Failure("a stream ended", Exit.PART_FAILED)])

    steps = [*await attempted("uploads", measured()), *await attempted("streams", refused())]
    assert steps[0] is kept
    assert (steps[1].name, steps[1].met) == ("streams", False)
    assert "a stream ended" in steps[1].measured


async def test_a_step_that_is_interrupted_ends_the_bench() -> None:
    async def interrupted() -> list[Figure]:
        raise BaseExceptionGroup("callers", [KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        await attempted("streams", interrupted())


def test_copies_of_reports_are_marked_as_indexed_as_the_service_marks_its_own() -> None:
    assert texts.VERSION == text_index.VERSION


def test_every_kind_of_question_stands_beside_a_bare_statement() -> None:
    asked = questions("100140000003")
    fields = {
        field.name
        for each in asked
        if isinstance(each.request, cameras_pb2.ListCamerasRequest)
        for field, _ in each.request.ListFields()
    }
    narrows = {field.name for field in cameras_pb2.ListCamerasRequest.DESCRIPTOR.fields}
    assert narrows - fields == {"with_retired"}
    assert all("bare_cameras" in each.statement for each in asked)


def test_a_frame_without_an_outcome_breaks_the_ledger() -> None:
    whole = pb.Stream(counts=pb.StreamCounts(offered=5, looked_at=2, unchanged=1))
    whole.counts.dropped["stale"] = 2
    assert Ledger.of([whole], 0.0).holds
    short = pb.Stream(counts=pb.StreamCounts(offered=6, looked_at=2, unchanged=1))
    short.counts.dropped["stale"] = 2
    assert not Ledger.of([whole, short], 0.0).holds


def test_pictures_that_were_neither_answered_nor_refused_are_missed() -> None:
    flow = Flow(offered=3, seconds=[0.1, 9.0])
    assert not flow.accounted_for
    assert flow.in_time == 1 / 3
    flow.refused["OVERLOADED"] += 1
    assert flow.accounted_for


def test_a_neighbour_that_is_slowed_or_refused_misses_the_target() -> None:
    def phase(seconds: float, **refused: int) -> Phase:
        flow = PartnersFlow([seconds] * 100, Counter(refused))
        return Phase(flow, PartnersFlow([0.1]), PartnersFlow([0.1]))

    def met(flooded: Phase) -> list[bool | None]:
        flood = {"calls": {"answered": 5}, "streams": {"SHARE_EXCEEDED": 3}}
        return [figure.met for figure in figures(phase(0.01), flooded, flood)]

    assert met(phase(0.02)) == [True, True, True, True, None, None]
    assert met(phase(0.04))[0] is False
    assert met(phase(0.02, SHARE_EXCEEDED=1))[1] is False


def test_a_share_under_its_target_is_missed() -> None:
    def met(rate: float) -> list[bool | None]:
        ours, bare = (Round(each, 1.0, 2.0, {"service": 0.5}) for each in (rate, 100.0))
        figures = compared("calls", [ours] * 2, [bare] * 2, beside="the bare call", share=0.3)
        return [figure.met for figure in figures]

    assert met(31.0) == [None, True, None]
    assert met(29.0) == [None, False, None]


async def test_callers_end_when_their_calls_are_used_up() -> None:
    made: list[int] = []

    async def call(number: int) -> None:
        made.append(number)

    calls = (lambda number=number: call(number) for number in range(5))
    assert len(await in_turn(calls, callers=16, seconds=60.0)) == 5
    assert made == [0, 1, 2, 3, 4]


def test_a_sample_counts_for_the_innermost_named_library_in_its_stack() -> None:
    lines = [
        "run (/v/lib/python3.11/asyncio/runners.py:118);serve (/c/libs/host/src/host/gate.py:9);"
        "fetch (/v/lib/python3.11/site-packages/asyncpg/connection.py:717) 3",
        "serve (/c/libs/host/src/host/gate.py:9);dumps (/v/lib/python3.11/json/__init__.py:1) 2",
        "run (/v/lib/python3.11/site-packages/opentelemetry/sdk/trace/__init__.py:5) 1",
        "<module> (<frozen runpy>:1) 1",
    ]
    found = by_library(lines)
    assert found == {"asyncpg": 3, "host": 2, "spans and metrics": 1, "other": 1}
    profile = Profile()
    assert "not profiled" in profile.figure("calls").measured
    profile.samples = found
    assert profile.figure("calls").measured.startswith("asyncpg 43%, host 29%")
