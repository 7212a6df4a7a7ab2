"""How a story is cut into stretches and drawn: own time axes, refusals by name, whole lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from tartip_cli.telemetry.spans import Span
from tartip_cli.telemetry.story import Story
from tartip_cli.telemetry.waterfall import lasting, stretches, waterfall

SECOND, DAY = 1_000_000_000, 86_400_000_000_000
FIRST, LATER = "a" * 32, "b" * 32


def a_span(trace_id: str, name: str, start_ns: int, length_ns: int = SECOND, **more: Any) -> Span:
    told: dict[str, Any] = {
        "span_id": name,
        "parent_id": "",
        "service": "inference-gateway",
        "kind": "internal",
        "error": None,
        "attributes": {},
    }
    return Span(
        trace_id=trace_id,
        name=name,
        start_ns=start_ns,
        end_ns=start_ns + length_ns,
        **(told | more),
    )


STORY = Story(
    "F-1",
    (
        a_span(FIRST, "issue", 0),
        a_span(FIRST, "deliver", 3 * SECOND, parent_id="issue"),
        a_span(
            LATER,
            "tartip.fines.v1.FinePayments/PayFine",
            2 * DAY,
            links=(FIRST,),
            attributes={"tartip.refusal": "FINE_NOT_PAYABLE"},
        ),
        a_span(FIRST, "come_into_force", 29 * DAY, parent_id="issue", error="TimeoutError"),
    ),
)


def drawn(width: int) -> list[str]:
    told = io.StringIO()
    console = Console(file=told, width=width)
    for piece in waterfall(STORY, width):
        console.print(piece)
    return told.getvalue().splitlines()


def test_work_that_comes_days_later_in_the_same_trace_has_its_own_stretch() -> None:
    found = stretches(STORY)
    assert [(one.trace_id, len(one.spans), one.goes_on) for one in found] == [
        (FIRST, 2, False),
        (LATER, 1, False),
        (FIRST, 1, True),
    ]
    assert [one.length_ns for one in found] == [4 * SECOND, SECOND, SECOND]


def test_each_stretch_tells_when_it_began_and_how_long_it_took() -> None:
    heads = [line.rstrip() for line in drawn(120) if line.startswith("trace ")]
    assert heads == [
        f"trace {FIRST}  + 0.0 s, 4,000 ms",
        f"trace {LATER}  + 2 d 0 h, 1,000 ms, follows aaaaaaaa",
        f"trace {FIRST} goes on  + 29 d 0 h, 1,000 ms",
    ]


def test_a_bar_fills_its_own_stretch() -> None:
    (late,) = (line for line in drawn(120) if "come_into_force" in line)
    (deliver,) = (line for line in drawn(120) if "deliver" in line)
    assert late.count("█") > 2 * deliver.count("█") > 0


@pytest.mark.parametrize("width", [80, 120])
def test_refusals_and_errors_end_their_rows_and_no_row_is_broken(width: int) -> None:
    lines = drawn(width)
    assert max(map(len, lines)) <= width and len(lines) == 3 + 1 + 4
    (refused,) = (line for line in lines if "FinePayments" in line)
    assert refused.rstrip().endswith("FINE_NOT_PAYABLE")
    (failed,) = (line for line in lines if "come_into" in line)
    assert failed.rstrip().endswith("TimeoutError")


@pytest.mark.parametrize(
    ("length_ns", "told"),
    [
        (0, "0.0 s"),
        (3_700_000_000, "3.7 s"),
        (252 * SECOND, "4 min 12 s"),
        (5 * 3600 * SECOND, "5 h 0 min"),
        (2 * DAY + 4 * 3600 * SECOND, "2 d 4 h"),
    ],
)
def test_lengths_are_told_in_two_units(length_ns: int, told: str) -> None:
    assert lasting(length_ns) == told
