"""The control interface of a sandbox: what its desk, its faults and its clock do, over HTTP.

It listens on this machine alone and asks nobody who he is: it exists in a sandbox and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from chassis.clock import system_clock
from chassis.refusals import Kind, Refusal
from chassis.settings import parse_offset
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tartip_cli.sandbox.dispatcher import Dispatcher
from tartip_cli.sandbox.faults import Faults
from tartip_cli.sandbox.triggers import DESK, FAULTS

STEPS: Final = (
    "take",
    "route",
    "ask",
    "answer",
    "record-arrival",
    "extend",
    "accept-traffic-evidence",
)
_BYTES_MAX = 16 * 1024
_TIMES_MAX = 1000
MoveClock = Callable[[dt.timedelta], Awaitable[None]]


class _Wrong(Exception):
    """A request that cannot be carried out. The text says what would be right."""


class Control:
    """The routes of the control interface. `describe` returns what the sandbox consists of,
    `move_clock` moves the clock of all services, and raises ValueError for a time it does not take.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        faults: Faults,
        describe: Callable[[], dict[str, Any]],
        move_clock: MoveClock,
    ) -> None:
        self._dispatcher = dispatcher
        self._faults = faults
        self._describe = describe
        self._move_clock = move_clock

    def app(self) -> Starlette:
        """Return the application that serves the routes."""
        routes = [
            Route("/", self._show, methods=["GET"]),
            Route("/triggers", self._show_triggers, methods=["GET"]),
            Route("/clock", self._show_clock, methods=["GET"]),
            Route("/clock", self._move, methods=["POST"]),
            Route("/faults", self._order, methods=["POST"]),
            Route("/reports/{report_id}/{step}", self._act, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {_Wrong: _say_wrong, Refusal: _say_refused}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def _show(self, _: Request) -> JSONResponse:
        return JSONResponse(self._describe())

    async def _show_triggers(self, _: Request) -> JSONResponse:
        return JSONResponse({"desk": dict(DESK), "faults": dict(FAULTS)})

    async def _show_clock(self, _: Request) -> JSONResponse:
        return JSONResponse(_clock())

    async def _move(self, request: Request) -> JSONResponse:
        """Move the clock forward, and answer once all services are ready again."""
        body = await _body(request)
        try:
            await self._move_clock(parse_offset(body.get("by", "")))
        except ValueError as error:
            raise _Wrong(f"{error}; by is an ISO 8601 duration such as P3D or PT2H") from error
        return JSONResponse(_clock())

    async def _order(self, request: Request) -> JSONResponse:
        """Let a fault happen to the next calls of a partner."""
        body = await _body(request)
        partner, fault, times = body.get("partner"), body.get("fault"), body.get("times", 1)
        if not isinstance(partner, str) or not isinstance(fault, str) or fault not in FAULTS:
            raise _Wrong(f"give partner, and fault, one of {', '.join(FAULTS)}")
        if not isinstance(times, int) or not 0 <= times <= _TIMES_MAX:
            raise _Wrong(f"times is a number from 0 to {_TIMES_MAX}")
        self._faults.order(partner, fault, times)
        return JSONResponse({"partner": partner, "fault": fault, "times": times})

    async def _act(self, request: Request) -> JSONResponse:
        """Have the desk take one step with a report."""
        report_id, step = request.path_params["report_id"], request.path_params["step"]
        if step not in STEPS:
            raise _Wrong(f"{step} is none of {', '.join(STEPS)}")
        found = await self._dispatcher.act(report_id, step, await _body(request))
        report = found["report"]
        return JSONResponse(
            {"report_id": report_id, "status": report["status"], "version": report["version"]}
        )


def _clock() -> dict[str, str]:
    return {"now": system_clock().isoformat()}


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object in a request; {} if there is none. Raises _Wrong."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _BYTES_MAX:
            raise _Wrong("the body is too long")
    try:
        body = json.loads(content or b"{}")
    except ValueError as error:
        raise _Wrong("the body is not JSON") from error
    if not isinstance(body, dict):
        raise _Wrong("the body is not a JSON object")
    return body


async def _say_wrong(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _say_refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    fields = [{"field": one.field, "reason": one.code} for one in error.fields]
    answer = {"error": error.message.en, "reason": error.reason, "fields": fields}
    status = error.kind.http_status if isinstance(error.kind, Kind) else 409
    return JSONResponse(answer, status_code=status)
