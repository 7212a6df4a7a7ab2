"""`python -m tartip_bench.partner_load CONFIG CALL CALLERS SECONDS RATE`: makes and times calls of
one partner.

CALLERS clients run concurrently. Each client waits for an answer before it sends its next call. If
RATE is not 0, that many calls per second are sent in total instead, without waiting for answers.
CALL is Report (open and submit a report), HandIn (a report in one call), QuoteFine, LookupFines, or
PayFine (pay each fine once, until all are paid).

CONFIG is a JSON file. The keys `reports` and `fines` hold the addresses of the services. The keys
`authority`, `key` and `certificate` hold paths. The key `to_pay` lists the fines (`OpenFine`) to
pay; the key `open` lists the fines to quote and look up.

Prints the rate and the times as JSON, in the format of `tartip_bench.chassis.load`. Ends with an
error at the first refused call.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop
from chassis.clock import new_id, system_clock, to_timestamp
from law.zone import almaty_day
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2
from tartip.fines.v1.fines_pb2_grpc import FinePaymentsStub
from tartip.reports.v1 import reports_pb2
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub
from tartip_cli.provision.vehicles import synthetic_iin

from tartip_bench.chassis.load import CALL_SECONDS, WARM_UP_SECONDS, at_rate, print_times

# Anywhere in the middle of Almaty.
_LATITUDES, _LONGITUDES = (43.22, 43.27), (76.87, 76.96)
Call = Callable[[], Awaitable[object]]


class OpenFine(NamedTuple):
    """A fine that can be paid: its number, its owner's IIN, and the amount due now, in tiyn."""

    number: str
    owner: str
    due_minor: int


def reports(channel: grpc.aio.Channel, config: dict[str, Any]) -> Iterator[Call]:
    stub: Any = CitizenReportsStub(channel)

    async def hand_in() -> None:
        request = a_report()
        await stub.OpenReport(request, timeout=CALL_SECONDS)
        submitted = reports_pb2.SubmitReportRequest(report_id=request.report_id)
        await stub.SubmitReport(submitted, timeout=CALL_SECONDS)

    return itertools.repeat(hand_in)


def hand_ins(channel: grpc.aio.Channel, config: dict[str, Any]) -> Iterator[Call]:
    stub: Any = CitizenReportsStub(channel)

    def hand_in() -> Awaitable[object]:
        request = reports_pb2.HandInReportRequest(report=a_report())
        answer: Awaitable[object] = stub.HandInReport(request, timeout=CALL_SECONDS)
        return answer

    return itertools.repeat(hand_in)


def quotes(channel: grpc.aio.Channel, config: dict[str, Any]) -> Iterator[Call]:
    stub: Any = FinePaymentsStub(channel)

    def quote() -> Awaitable[object]:
        request = fines_pb2.QuoteFineRequest(number=_any(config).number)
        answer: Awaitable[object] = stub.QuoteFine(request, timeout=CALL_SECONDS)
        return answer

    return itertools.repeat(quote)


def look_ups(channel: grpc.aio.Channel, config: dict[str, Any]) -> Iterator[Call]:
    stub: Any = FinePaymentsStub(channel)

    async def look_up() -> None:
        fine = _any(config)
        request = fines_pb2.LookupFinesRequest(
            owner=fine.owner, reason=fines_pb2.LOOKUP_REASON_OWNER, customer_id=str(new_id())
        )
        found = (await stub.LookupFines(request, timeout=CALL_SECONDS)).fines
        assert fine.number in {each.number for each in found}

    return itertools.repeat(look_up)


def payments(channel: grpc.aio.Channel, config: dict[str, Any]) -> Iterator[Call]:
    """Yield one payment call for each fine in `to_pay` of the configuration."""
    stub: Any = FinePaymentsStub(channel)

    def payment_of(fine: OpenFine) -> Call:
        return lambda: stub.PayFine(_payment(fine), timeout=CALL_SECONDS)

    return (payment_of(OpenFine(*fine)) for fine in config["to_pay"])


CALLS = {
    "Report": ("reports", reports),
    "HandIn": ("reports", hand_ins),
    "QuoteFine": ("fines", quotes),
    "LookupFines": ("fines", look_ups),
    "PayFine": ("fines", payments),
}


def _any(config: dict[str, Any]) -> OpenFine:
    return OpenFine(*random.choice(config["open"]))


def a_report() -> reports_pb2.OpenReportRequest:
    return reports_pb2.OpenReportRequest(
        report_id=str(new_id()),
        category=reports_pb2.CATEGORY_OTHER,
        place=common_pb2.Place(
            latitude=random.uniform(*_LATITUDES),
            longitude=random.uniform(*_LONGITUDES),
            region="KZ-75",
        ),
        occurred_at=to_timestamp(system_clock() - dt.timedelta(minutes=4)),
        text="The street lamp at the crossing has not been lit for three days.",
        reporter=reports_pb2.Reporter(
            iin=synthetic_iin(random.Random()), name="Bench Reporter", phone="+77000000000"
        ),
        language="en",
    )


def _payment(fine: OpenFine) -> fines_pb2.PayFineRequest:
    payment_id = str(new_id())
    return fines_pb2.PayFineRequest(
        payment_id=payment_id,
        number=fine.number,
        amount=common_pb2.Money(amount_minor=fine.due_minor, currency="KZT"),
        bank_reference=payment_id.replace("-", "").upper(),
        value_date=almaty_day(system_clock()).isoformat(),
    )


async def in_turn(calls: Iterator[Call], callers: int, seconds: float) -> list[float]:
    """Make the calls with `callers` concurrent clients, until `seconds` have passed or no call is
    left. Each client makes one call at a time. Returns the duration of each call in seconds."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def caller() -> None:
        while (began := time.perf_counter()) < until:
            call = next(calls, None)
            if call is None:
                return
            await call()
            took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return took


def channel_to(service: str, config: dict[str, Any]) -> grpc.aio.Channel:
    shown = (Path(config[file]).read_bytes() for file in ("authority", "key", "certificate"))
    return grpc.aio.secure_channel(config[service], grpc.ssl_channel_credentials(*shown))


async def main(
    config: dict[str, Any], name: str, callers: int, seconds: float, rate: float
) -> None:
    """Make calls of the kind `name` (a key of CALLS) for `seconds`, and print their times."""
    service, calls_over = CALLS[name]
    async with channel_to(service, config) as channel:
        calls = calls_over(channel, config)
        warm = await in_turn(calls, callers, WARM_UP_SECONDS)
        began = time.perf_counter()
        if rate:
            took = await at_rate(lambda: next(calls)(), rate, seconds)
        else:
            took = await in_turn(calls, callers, seconds)
        print_times(took, time.perf_counter() - began, len(warm) + len(took))


if __name__ == "__main__":
    given, name, callers, *times = sys.argv[1:]
    seconds, rate = map(float, times)
    uvloop.run(main(json.loads(Path(given).read_text()), name, int(callers), seconds, rate))
