"""`ReportsClient`: the client without asyncio. May be used from several threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Self

import grpc
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc

from tartip_partner.caller import Caller
from tartip_partner.connections import Options
from tartip_partner.errors import ClientClosed
from tartip_partner.identity import Identity
from tartip_partner.report_flows import (
    LIST_DAY,
    LIST_REPORTS,
    LIST_VIEWINGS,
    MediaSource,
    OnReceipt,
    count_day_flow,
    dispute_flow,
    first_page,
    get_flow,
    hand_in_flow,
    reply_flow,
    rotate_flow,
    submit_flow,
)
from tartip_partner.retries import Retries
from tartip_partner.tokens import Following, TokenStore
from tartip_partner.upload_flows import Progress


class ReportsClient:
    """Hands citizens' reports in and follows them.

    Each method that calls the service sets a deadline and repeats the same request, with the same
    id, as long as its result is unknown (`Retries`). Each raises Refused, NoAnswer,
    MessageTooLarge, CertificateExpired or ClientClosed (see `tartip_partner`).
    """

    def __init__(
        self,
        address: str,
        identity: Identity,
        *,
        retries: Retries = Retries(),  # noqa: B008 (it is frozen)
        options: Options = (),
    ) -> None:
        """`address` is "host:port". `options` are further options of the gRPC channel. Nothing is
        sent before the first call."""
        stub_of: Any = reports_pb2_grpc.CitizenReportsStub
        self._caller = Caller(address, identity, stub_of, options)
        self._retries = retries

    def hand_in(self, report: pb.OpenReportRequest) -> pb.Receipt:
        """Hand in a report without media, and return its receipt.

        An empty `report.report_id` is set to a new id. Store it: after an error, `hand_in` with the
        same report goes on, and hands in nothing twice.
        """
        return self._caller.run(hand_in_flow(report, self._retries))

    def submit(
        self,
        report: pb.OpenReportRequest,
        media: Sequence[MediaSource] = (),
        progress: Progress | None = None,
        on_receipt: OnReceipt | None = None,
    ) -> pb.Receipt:
        """Hand in a report with its pictures, films and recordings, and return its receipt.

        `media` are paths, bytes, or `Media` with a type of its own. They are sent in pieces; after
        a break the upload goes on from what has arrived, also in a later call with the same report
        and the same media. `progress` is called with the bytes that have arrived and the bytes of
        all media together. An empty `report.report_id` is set, as by `hand_in`.

        In an emergency (road accident, domestic violence, incident with a child) the report is
        handed in as soon as each file is begun, and the rest follows: `on_receipt` is called with
        the receipt at once, and this method returns when all has arrived. Raises MediaRefused if a
        file of an emergency is refused or cannot be read any more, and OSError for a file that
        cannot be read at the beginning.
        """
        return self._caller.run(submit_flow(report, media, self._retries, progress, on_receipt))

    def get(self, *, report_id: str = "", number: str = "") -> pb.Report:
        """Return one report, by its id or its number."""
        return self._caller.run(get_flow(report_id, number, self._retries))

    def list(self, request: pb.ListReportsRequest | None = None) -> Iterator[pb.Report]:
        """All reports of the partner in order of opening; pages are fetched as they are needed.

        `request` may name the size of a page and, where the contract has them, filters.
        """
        asked = first_page(request)
        while True:
            page = self._caller.run(LIST_REPORTS(asked, self._retries))
            yield from page.reports
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token

    def count_day(self, day: str) -> pb.DayCount:
        """Count what you handed in on a day, "YYYY-MM-DD" in Asia/Almaty; see `ids_sha256`."""
        return self._caller.run(count_day_flow(day, self._retries))

    def list_day(self, day: str) -> Iterator[pb.DayReport]:
        """All reports that you handed in on a day; pages are fetched as they are needed."""
        asked = pb.ListDayRequest(day=day)
        while True:
            page = self._caller.run(LIST_DAY(asked, self._retries))
            yield from page.reports
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token

    def viewings(self, report_id: str) -> Iterator[pb.Viewing]:
        """Who looked at a report, oldest first; pages are fetched as they are needed."""
        asked = pb.ListViewingsRequest(report_id=report_id)
        while True:
            page = self._caller.run(LIST_VIEWINGS(asked, self._retries))
            yield from page.viewings
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token

    def reply(self, report_id: str, text: str) -> pb.Report:
        """Send the reporter's reply to a question of the desk, and return the report."""
        return self._caller.run(reply_flow(report_id, text, self._retries))

    def dispute(self, report_id: str, text: str) -> pb.Report:
        """Dispute the answer, which is possible once for each report, and return the report."""
        return self._caller.run(dispute_flow(report_id, text, self._retries))

    def rotate_webhook_secret(self, request_id: str) -> pb.RotateWebhookSecretResponse:
        """Make a new secret for webhooks, and return it. Until `previous_ends_at`, webhooks are
        signed with the former secret too.

        `request_id` is a `new_id()` that you store before: the same one returns the same secret.
        Give all valid secrets to `read_webhook`.
        """
        return self._caller.run(rotate_flow(request_id, self._retries))

    def watch(
        self, resume_token: str = "0", store: TokenStore | None = None, *, until: str = ""
    ) -> Iterator[pb.WatchReportsResponse]:
        """The status changes of all reports of the partner, each once, until the client is closed.

        Begins after the token in `store`, else after `resume_token`; "0" is before the first change
        of all. After a break the stream goes on by itself. When the next change is requested, the
        last one counts as handled and its token is saved: a change during whose handling the
        program ended is returned again. With `until`, such as the `sequence` of a webhook, the
        stream ends after the change with this token. Raises Refused where a repetition cannot help,
        and CertificateExpired.
        """
        following = Following(resume_token, store, self._retries, until)
        while self._caller.is_open and not following.is_done:
            with contextlib.suppress(ClientClosed), self._stream(following) as stream:
                for change in following.each_new(stream):
                    yield change
                    following.keep(change)
            if self._caller.is_open and not following.is_done:
                self._caller.pause(following.pause())

    def close(self) -> None:
        """Close the connection; calls and streams that are under way end."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _stream(self, following: Following) -> Iterator[Iterator[pb.WatchReportsResponse]]:
        """One stream; what it broke off with is left in `following`."""
        following.broken = None
        try:
            with self._caller.stream("WatchReports", following.request()) as stream:
                yield stream
        except grpc.RpcError as error:
            following.broken = error
