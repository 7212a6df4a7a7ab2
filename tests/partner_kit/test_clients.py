"""Both Python clients hand in, upload, ask and list, over a line and a service that break."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from pathlib import Path

import grpc
import pytest
from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner import (
    AsyncFinesClient,
    AsyncReportsClient,
    FinesClient,
    MessageTooLarge,
    NoAnswer,
    Refused,
    ReportsClient,
    Retries,
    WrongField,
)
from tartip_partner_contract.refusals import Refusal
from tartip_partner_contract.scenarios.disturbances import lose_first_answers
from tartip_partner_contract.stage import draft
from tartip_partner_contract.tartip import ReceivedCall

from .conftest import PIECE, Connect, Played, calm, refusing


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        public = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in public
            if not name.startswith("_")
        }

    assert methods(ReportsClient) == methods(AsyncReportsClient)
    assert methods(FinesClient) == methods(AsyncFinesClient)


async def test_a_report_whose_answers_are_lost_stands_once(
    connect: Connect, played: Played
) -> None:
    calls = {"hand_in": ("HandInReport",), "submit": ("OpenReport", "PutMedia", "SubmitReport")}
    played.tartip.after = lose_first_answers(played.tartip, sum(calls.values(), ()))
    for method, names in calls.items():
        report, media = draft(), [[b"\xff\xd8\xff picture"]] if method == "submit" else []
        receipt = await connect().call(method, report, *media)
        held = played.tartip.book.submitted[-1]
        assert held.report.receipt == receipt and held.opened == report
        assert await connect().call(method, report, *media) == receipt
        assert {call.method for call in played.tartip.calls} == set(names)
        played.tartip.calls.clear()
    assert len(played.tartip.book.reports) == 2


async def test_every_call_has_the_deadline_that_was_chosen(
    connect: Connect, played: Played
) -> None:
    client = connect(Retries(call_seconds=2.0, piece_seconds=9.0))
    report = draft()
    await client.call("submit", report, [b"\xff\xd8\xff voice"])
    await client.call("get", report_id=report.report_id)
    assert [one async for one in client.each("list")]
    told = {call.method: call.deadline_seconds for call in played.tartip.calls}
    assert told.keys() == {"OpenReport", "PutMedia", "SubmitReport", "GetReport", "ListReports"}
    for method, seconds in told.items():
        longest = 9.0 if method == "PutMedia" else 2.0
        assert seconds is not None and abs(longest - seconds) < 1.0


async def test_an_upload_goes_on_where_it_broke_and_tells_how_far_it_is(
    connect: Connect, played: Played, tmp_path: Path
) -> None:
    film = tmp_path / "film"
    film.write_bytes(secrets.token_bytes(3 * PIECE + 7))
    cuts = iter([False, True, False, False, True])

    async def after(call: ReceivedCall) -> None:
        if call.method == "PutMedia" and next(cuts, False):
            played.tartip.relay.cut()

    played.tartip.after = after
    told: list[tuple[int, int]] = []
    receipt = await connect().call(
        "submit", draft(), [film, b"\xff\xd8\xff picture"], lambda *arrived: told.append(arrived)
    )
    (held,) = played.tartip.book.submitted
    assert held.report.receipt == receipt
    assert sorted(media.content for media in held.media.values()) == sorted(
        [film.read_bytes(), b"\xff\xd8\xff picture"]
    )
    total = film.stat().st_size + 11
    assert told == sorted(told) and told[-1] == (total, total)
    offsets = [call.request.offset for call in played.tartip.calls_of("PutMedia")]
    assert offsets == [0, PIECE, PIECE, 2 * PIECE, 3 * PIECE, 3 * PIECE, 0]


async def test_an_upload_that_another_process_began_is_finished(
    connect: Connect, played: Played
) -> None:
    report, content = draft(), secrets.token_bytes(5 * PIECE)

    async def before(call: ReceivedCall) -> None:
        if call.method == "PutMedia" and call.request.offset == 3 * PIECE:
            raise Refusal(grpc.StatusCode.UNAVAILABLE)

    played.tartip.before = before
    with pytest.raises(NoAnswer):
        await connect(Retries(total_seconds=0.5)).call("submit", report, [content])
    played.tartip.before = calm
    sent = len(played.tartip.calls_of("PutMedia"))
    await connect().call("submit", report, [content])
    (held,) = played.tartip.book.submitted
    assert [media.content for media in held.media.values()] == [content]
    again = [call.request.offset for call in played.tartip.calls_of("PutMedia")[sent:]]
    assert again == [0, 3 * PIECE, 4 * PIECE]


async def test_after_a_gap_the_upload_goes_on_from_what_arrived(
    connect: Connect, played: Played
) -> None:
    lost = iter([False, False, True])

    async def after(call: ReceivedCall) -> None:
        if call.method == "PutMedia" and next(lost, False):
            (held,) = played.tartip.book.reports.values()
            (media,) = held.media.values()
            media.content = media.content[:PIECE]  # as after the restore of a backup

    played.tartip.after = after
    content = secrets.token_bytes(4 * PIECE)
    await connect().call("submit", draft(), [content])
    (held,) = played.tartip.book.submitted
    assert [media.content for media in held.media.values()] == [content]


async def test_a_refusal_tells_reason_fields_texts_and_facts(
    connect: Connect, played: Played
) -> None:
    with pytest.raises(Refused) as caught:
        await connect().call("hand_in", pb.OpenReportRequest(category=pb.CATEGORY_OTHER))
    refused = caught.value
    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields == (
        WrongField("place", "PLACE_REQUIRED", "PLACE_REQUIRED"),
        WrongField("occurred_at", "OCCURRED_AT_REQUIRED", "OCCURRED_AT_REQUIRED"),
        WrongField("language", "LANGUAGE_UNKNOWN", "LANGUAGE_UNKNOWN"),
        WrongField("text", "TEXT_REQUIRED", "TEXT_REQUIRED"),
    )
    assert refused.texts.keys() == {"kk", "ru", "en"} and refused.retry_after is None
    assert "place: PLACE_REQUIRED" in str(refused)
    assert len(played.tartip.calls) == 1
    played.tartip.before = refusing(Refusal(grpc.StatusCode.ABORTED, "A_REASON", facts={"a": "1"}))
    with pytest.raises(Refused) as caught:
        await connect().call("get", number="KZ75-2026-0000001")
    assert (caught.value.reason, caught.value.facts) == ("A_REASON", {"a": "1"})


async def test_a_wait_beyond_the_limit_is_told_at_once_with_the_last_refusal(
    connect: Connect, played: Played
) -> None:
    busy = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "SHARE_EXCEEDED", retry_seconds=60.0)
    played.tartip.before = refusing(busy)
    with pytest.raises(NoAnswer) as caught:
        await asyncio.wait_for(connect().call("hand_in", draft()), 2)
    assert caught.value.attempts == 1 and caught.value.last.retry_after == 60.0


async def test_a_request_that_is_too_large_is_sent_once(connect: Connect, played: Played) -> None:
    played.tartip.before = refusing(Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED))
    with pytest.raises(MessageTooLarge):
        await connect().call("hand_in", draft())
    assert len(played.tartip.calls) == 1


async def test_without_a_service_the_limit_ends_the_call(connect: Connect, played: Played) -> None:
    await played.tartip.stop()
    with pytest.raises(NoAnswer) as caught:
        await asyncio.wait_for(connect(Retries(total_seconds=0.5)).call("hand_in", draft()), 5)
    assert caught.value.attempts > 1 and not caught.value.last.is_named


async def test_lists_go_through_all_pages(connect: Connect, played: Played) -> None:
    client, reports = connect(), [draft() for _ in range(5)]
    for report in reports:
        await client.call("hand_in", report)
    request = pb.ListReportsRequest()
    request.page.size = 2
    listed = [one.report_id async for one in client.each("list", request)]
    assert listed == [report.report_id for report in reports]
    assert len(played.tartip.calls_of("ListReports")) == 3 and not request.page.token


async def test_a_report_is_asked_for_by_its_id_or_its_number(
    connect: Connect, played: Played
) -> None:
    client, report = connect(), draft()
    receipt = await client.call("hand_in", report)
    assert await client.call("get", number=receipt.number) == await client.call(
        "get", report_id=report.report_id
    )
    with pytest.raises(ValueError):
        await client.call("get")


async def test_a_question_is_replied_to_and_an_answer_disputed(
    connect: Connect, played: Played
) -> None:
    client, report = connect(), draft()
    await client.call("hand_in", report)
    played.tartip.book.ask(report.report_id, "Which floor?")
    assert (await client.call("reply", report.report_id, "The second.")).question == ""
    played.tartip.book.change(report.report_id, pb.REPORT_STATUS_ANSWERED)
    disputed = await client.call("dispute", report.report_id, "It still lies there.")
    assert disputed.status == pb.REPORT_STATUS_DISPUTED
