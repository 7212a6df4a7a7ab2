"""Makes a FastAPI application that answers refused requests with problem+json (RFC 9457).

ASGI middleware limits the size of request bodies while they stream, and opens a tracing span for
each request. Query strings are never logged. Every request begins a new trace, because the headers
traceparent and baggage of clients are not trusted.
"""

import asyncio
import logging
import math
import re
import time
from http import HTTPStatus
from typing import Any

from chassis import telemetry
from chassis.clock import new_id
from chassis.refusals import BadRequest, FieldError, InternalError, Kind, Refusal
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.context import Context
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from operator_gateway.etags import IfMatchRequired
from operator_gateway.measures import measure_request

BODY_BYTES_MAX = 1024 * 1024
UPLOAD_BYTES_MAX = 21 * 1024 * 1024
BODY_SECONDS_MAX = 20.0
LANGUAGES = ("en", "ru", "kk")
log = logging.getLogger(__name__)


class BodyTooLarge(Refusal):
    kind = Kind.INVALID
    code = "BODY_TOO_LARGE"


class BodyTooSlow(Refusal):
    kind = Kind.TIMEOUT
    code = "BODY_TOO_SLOW"


# Refusals for which HTTP has a more specific status than for their kind.
HTTP_STATUSES = {
    BodyTooLarge.code: 413,
    BodyTooSlow.code: 408,
    IfMatchRequired.code: 428,
    # The register's, for a version that If-Match named.
    "CAMERA_CHANGED_MEANWHILE": 412,
}


def problem(refusal: Refusal, language: str = "en") -> JSONResponse:
    status = HTTP_STATUSES.get(refusal.reason, refusal.kind.http_status)
    body: dict[str, Any] = {
        "type": f"urn:tartip:refusal:{refusal.reason}",
        "title": getattr(refusal.message, language if language in LANGUAGES else "en"),
        "status": status,
        "reason": refusal.reason,
    }
    if refusal.fields:
        body["errors"] = [
            {"field": error.field, "code": error.code, "description": error.description}
            for error in refusal.fields
        ]
    if refusal.facts:
        body["facts"] = refusal.facts
    headers: dict[str, str] = {}
    if refusal.kind in (Kind.OVERLOADED, Kind.UNAVAILABLE):
        headers["Retry-After"] = str(math.ceil(refusal.retry_seconds or 1))
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, "application/problem+json")


def make_app(
    title: str, *, description: str, version: str, upload_paths: tuple[str, ...] = ()
) -> FastAPI:
    app = FastAPI(
        title=title,
        description=description,
        version=version,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from another host
        redoc_url=None,
        # FastAPI's own telemetry does not choose what goes on spans and logs; `Edge` does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )

    @app.exception_handler(Refusal)
    async def _refusal(request: Request, error: Refusal) -> JSONResponse:
        return problem(error, _language(request))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = tuple(
            FieldError(
                ".".join(str(part) for part in found["loc"][1:]) or "body",
                "BAD_REQUEST",
                str(found["msg"]),
            )
            for found in error.errors()
        )
        return problem(BadRequest(fields=fields), _language(request))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, Refusal):  # FastAPI wraps what reading a body raises
            return problem(error.__cause__, _language(request))
        body = {
            "type": "about:blank",
            "title": str(error.detail),
            "status": error.status_code,
            "reason": HTTPStatus(error.status_code).name,
        }
        return JSONResponse(body, error.status_code, error.headers, "application/problem+json")

    app.add_middleware(Edge, upload_paths=upload_paths)
    return app


def _language(request: Request) -> str:
    return negotiated_language(request.headers.get("accept-language", ""))


def negotiated_language(accepted: str) -> str:
    """Return the supported language ("en", "ru" or "kk") that the header Accept-Language prefers
    (RFC 9110, 12.5.4). Returns "en" if the header names none of the three."""
    best, best_quality = "en", 0.0
    for wish in accepted.lower().split(","):
        name, *parameters = wish.split(";")
        language = name.strip().partition("-")[0]
        quality = _quality(parameters)
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameters: list[str]) -> float:
    """Return the quality value q: 1 if it is absent, 0 if it is not a number from 0 to 1."""
    given = [p.strip() for p in parameters if p.strip().startswith("q=")]
    if not given:
        return 1.0
    found = re.fullmatch(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", given[0])
    return float(found[1]) if found else 0.0


class Edge:
    """ASGI middleware for every HTTP request except health probes. It opens a tracing span, limits
    the size of the body, and answers requests that end in an unhandled error."""

    def __init__(self, app: ASGIApp, upload_paths: tuple[str, ...] = ()) -> None:
        self._app = app
        self._upload_paths = upload_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ("/healthz", "/readyz"):
            await self._app(scope, receive, send)
            return
        upload = scope["path"].startswith(self._upload_paths) if self._upload_paths else False
        bound = UPLOAD_BYTES_MAX if upload else BODY_BYTES_MAX
        with telemetry.span(
            f"{scope['method']} (unmatched)",
            kind=telemetry.SpanKind.SERVER,
            parent=Context(),
            attributes={"http.request.method": scope["method"]},
        ) as span:
            await self._serve(scope, _bounded(receive, bound), send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        status: int | None = None
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                route = _route(scope) or "(unmatched)"
                span.update_name(f"{scope['method']} {route}")
                telemetry.set_attribute(span, "http.route", route)
                telemetry.set_attribute(span, "http.response.status_code", message["status"])
                trace_id = f"{span.get_span_context().trace_id:032x}"
                message["headers"] = [*message["headers"], (b"tartip-trace", trace_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Refusal as refusal:
            if status is None:
                await problem(refusal)(scope, receive, sending)
        except Exception as error:
            broken = InternalError(facts={"error_id": str(new_id())})
            log.error("error id %s", broken.facts["error_id"], exc_info=error)
            span.set_status(telemetry.Status(telemetry.StatusCode.ERROR, type(error).__name__))
            if status is None:
                await problem(broken)(scope, receive, sending)
        finally:
            measure_request(
                scope["method"],
                route=_route(scope),
                status=status,
                scheme=scope["scheme"],
                seconds=time.perf_counter() - began,
            )


def _route(scope: Scope) -> str | None:
    """The template of the path that matched the request; None if none has."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path


def _bounded(receive: Receive, bytes_max: int) -> Receive:
    seen, deadline, complete = 0, time.monotonic() + BODY_SECONDS_MAX, False

    async def receiving() -> Message:
        nonlocal seen, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlow from error
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen > bytes_max:
                raise BodyTooLarge(facts={"bytes_max": str(bytes_max)})
        return message

    return receiving
