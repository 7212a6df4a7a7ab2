"""Sends webhooks over HTTPS."""

import ssl
from pathlib import Path

import httpx

from citizen_reports.model.webhooks import Message

TIMEOUT_SECONDS = 5.0


class HttpPosts:
    def __init__(self, authorities: Path | None) -> None:
        """`authorities` is a PEM file with the authorities that may sign partners' servers; None
        stands for those of this machine."""
        self._context = ssl.create_default_context(cafile=authorities)

    async def post(self, url: str, message: Message) -> str:
        """Send a webhook; return "" if the partner answered 2xx, else why it did not: a status, or
        the kind of error. Redirects and proxies are not followed."""
        try:
            async with (
                httpx.AsyncClient(
                    verify=self._context, timeout=TIMEOUT_SECONDS, trust_env=False
                ) as client,
                client.stream("POST", url, content=message.body, headers=message.headers) as answer,
            ):  # its body is never read: it may be endless
                return "" if answer.is_success else f"status {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            return type(error).__name__
