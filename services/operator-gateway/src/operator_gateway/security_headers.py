"""ASGI middleware that adds security headers to every response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class SecurityHeaders:
    """ASGI middleware that adds security headers to a response, unless it has them already. With
    them, pages run scripts of this origin only, API responses are not cached, and no site may embed
    a response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _completed(list(message["headers"]), scope["path"])
            await send(message)

        await self._app(scope, receive, sending)


def _completed(headers: list[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    named = {name.lower() for name, _ in headers}
    page = not path.startswith("/v1/") or path == "/v1/docs"
    policy = PAGE_POLICY if page else API_POLICY
    wanted = [*HEADERS, (b"content-security-policy", policy.encode())]
    wanted.append((b"cache-control", b"no-cache" if page else b"no-store"))
    return headers + [header for header in wanted if header[0] not in named]
