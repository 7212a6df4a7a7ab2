"""The Python client for partners on the real service, and its quickstart run to the letter."""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import system_clock, to_timestamp
from chassis.purpose import purpose_metadata
from law.zone import almaty_day
from PIL import Image
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc
from tartip_cli.clients.journeys import wait_for
from tartip_partner import (
    AsyncFinesClient,
    AsyncReportsClient,
    FileTokenStore,
    FinesClient,
    Identity,
    Media,
    MediaRefused,
    Refused,
    ReportsClient,
    Retries,
    ids_sha256,
    new_id,
)
from tartip_partner.upload_flows import BEGINNING_BYTES
from tartip_partner_contract.relay import Relay
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
SERVICE = "citizen-reports"
README = Path(__file__).resolve().parents[2] / "partner-kit/client/README.md"
RETRIES = Retries(call_seconds=10.0)
CUTS = 8


@pytest.fixture
def service(mesh: RunningTestMesh) -> str:
    return mesh.address(SERVICE)


def identity_of(mesh: RunningTestMesh, partner: str) -> Identity:
    pair = mesh.certificates.partner(partner)
    ca = mesh.certificates.authority
    return Identity(ca=ca, certificate=pair.certificate, key=pair.key)


@pytest_asyncio.fixture
async def desk(mesh: RunningTestMesh, service: str) -> AsyncIterator[Any]:
    """Calls of a dispatcher: `await desk("TakeReport", request)`."""
    pair = mesh.certificates.service("operator-gateway")
    ca = mesh.certificates.authority
    channels = Channels(cert=pair.certificate, key=pair.key, ca=ca)
    stub: Any = reports_pb2_grpc.ReportDeskStub(channels.to(service, SERVICE))
    token = mesh.token("dispatcher-almaty")
    metadata = (("authorization", f"Bearer {token}"), *purpose_metadata("case 12"))

    async def call(method: str, request: Any) -> Any:
        return await getattr(stub, method)(request, timeout=10, metadata=metadata)

    yield call
    await channels.close()


def draft(**changes: Any) -> pb.OpenReportRequest:
    given: dict[str, Any] = {
        "category": pb.CATEGORY_INCIDENT,
        "place": common_pb2.Place(latitude=43.2389, longitude=76.9286, region="KZ-75"),
        "occurred_at": to_timestamp(system_clock() - timedelta(minutes=2)),
        "text": "A street lamp lies across the pavement.",
        "language": "ru",
    }
    return pb.OpenReportRequest(**given | changes)


def photograph() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((1200, 900), 80).save(written, "JPEG", quality=95)
    assert len(written.getvalue()) > 512 * 1024
    return written.getvalue()


async def test_a_report_is_handed_in_asked_about_replied_to_answered_and_disputed(
    mesh: RunningTestMesh, service: str, desk: Any
) -> None:
    async with AsyncReportsClient(service, identity_of(mesh, "kaspi"), retries=RETRIES) as tartip:
        report = draft()
        receipt = await tartip.hand_in(report)
        assert await tartip.hand_in(report) == receipt
        report_id = report.report_id
        await desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
        question = pb.AskReporterRequest(report_id=report_id, question="Which house?")
        await desk("AskReporter", question)
        assert (await tartip.get(number=receipt.number)).question == "Which house?"
        assert (await tartip.reply(report_id, "Number 44")).question == ""
        answer = pb.AnswerReportRequest(
            report_id=report_id, answer="The lamp was put up again.", outcome="measures_taken"
        )
        await desk("AnswerReport", answer)
        disputed = await tartip.dispute(report_id, "It still lies there.")
        assert disputed.status == pb.REPORT_STATUS_DISPUTED
        assert report_id in [one.report_id async for one in tartip.list()]
        viewings = [viewing async for viewing in tartip.viewings(report_id)]
        assert [viewing.seen[0] for viewing in viewings] == ["text"] * 3, "each at the desk"
        told = [
            change.status
            async for change in _until_disputed(tartip, report_id)
            if change.report_id == report_id
        ]
    assert told == [
        pb.REPORT_STATUS_REGISTERED,
        pb.REPORT_STATUS_ROUTED,
        pb.REPORT_STATUS_IN_WORK,
        pb.REPORT_STATUS_WAITS_FOR_REPORTER,
        pb.REPORT_STATUS_IN_WORK,
        pb.REPORT_STATUS_ANSWERED,
        pb.REPORT_STATUS_DISPUTED,
    ]


async def _until_disputed(
    tartip: AsyncReportsClient, report_id: str
) -> AsyncIterator[pb.WatchReportsResponse]:
    async for change in tartip.watch():
        yield change
        if change.report_id == report_id and change.status == pb.REPORT_STATUS_DISPUTED:
            return


def test_a_photograph_is_handed_in_with_its_report_and_again_after_a_restart(
    mesh: RunningTestMesh, service: str, tmp_path: Path
) -> None:
    picture = tmp_path / "photograph"
    picture.write_bytes(photograph())
    report, told = draft(), list[tuple[int, int]]()
    with ReportsClient(service, identity_of(mesh, "halyk"), retries=RETRIES) as tartip:
        receipt = tartip.submit(report, [picture], lambda *arrived: told.append(arrived))
    size = picture.stat().st_size
    assert len(told) > 1 and told[-1] == (size, size)
    with ReportsClient(service, identity_of(mesh, "halyk"), retries=RETRIES) as tartip:
        assert tartip.submit(report, [picture.read_bytes()]) == receipt
        assert tartip.get(report_id=report.report_id).media_count == 1


def test_in_an_emergency_the_report_is_handed_in_before_its_files_have_arrived(
    mesh: RunningTestMesh, service: str
) -> None:
    report, told = draft(category=pb.CATEGORY_ROAD_ACCIDENT), list[int]()
    files, at_receipt = [photograph(), photograph()], list[tuple[pb.Receipt, int]]()
    with ReportsClient(service, identity_of(mesh, "kaspi"), retries=RETRIES) as tartip:
        receipt = tartip.submit(
            report,
            files,
            lambda arrived, _: told.append(arrived),
            lambda receipt: at_receipt.append((receipt, told[-1])),
        )
        assert at_receipt == [(receipt, 2 * BEGINNING_BYTES)]
        assert told[-1] == sum(map(len, files))
        states = {one.state for one in tartip.get(report_id=report.report_id).media}
    assert states <= {"complete", "stored"}


async def test_in_an_emergency_a_file_that_is_refused_blocks_neither_its_report_nor_another_file(
    mesh: RunningTestMesh, service: str
) -> None:
    report = draft(category=pb.CATEGORY_ROAD_ACCIDENT)
    damaged, whole, small = os.urandom(200_000), photograph(), b"\xff\xd8\xff damaged"
    media: list[Media | bytes] = [Media(damaged, "image/jpeg"), whole, small]
    async with AsyncReportsClient(service, identity_of(mesh, "kaspi"), retries=RETRIES) as tartip:
        with pytest.raises(MediaRefused) as caught:
            await tartip.submit(report, media)
        found = await tartip.get(number=caught.value.receipt.number)
    assert {at: str(one).partition(" ")[0] for at, one in caught.value.reasons.items()} == {
        0: "MEDIA_NOT_A_PICTURE",
        2: "MEDIA_NOT_A_PICTURE",
    }
    assert found.report_id == report.report_id
    told = {(one.state.replace("stored", "complete"), one.refused_reason) for one in found.media}
    # What followed may be sent again for a day; what had arrived before is refused for good.
    assert told == {
        ("complete", ""),
        ("receiving", "MEDIA_NOT_A_PICTURE"),
        ("refused", "MEDIA_NOT_A_PICTURE"),
    }


async def test_both_clients_count_a_day_and_list_what_they_count(
    mesh: RunningTestMesh, service: str
) -> None:
    identity, day = identity_of(mesh, "egov"), almaty_day(system_clock()).isoformat()
    report = draft()
    with ReportsClient(service, identity, retries=RETRIES) as tartip:
        await asyncio.to_thread(tartip.hand_in, report)
        count = await asyncio.to_thread(tartip.count_day, day)
        listed = await asyncio.to_thread(lambda: list(tartip.list_day(day)))
    async with AsyncReportsClient(service, identity, retries=RETRIES) as other:
        assert (await other.count_day(day)).ids_sha256 == count.ids_sha256
        assert [one.report_id async for one in other.list_day(day)] == [
            one.report_id for one in listed
        ]
    ids = [one.report_id for one in listed]
    assert report.report_id in ids and len(ids) == count.accepted
    assert ids_sha256(ids) == count.ids_sha256


def test_all_wrong_fields_come_at_once_in_three_languages(
    mesh: RunningTestMesh, service: str
) -> None:
    wrong = draft(language="xx", place=None, reporter=pb.Reporter(iin="123"))
    with ReportsClient(service, identity_of(mesh, "egov"), retries=RETRIES) as tartip:
        with pytest.raises(Refused) as caught:
            tartip.hand_in(wrong)
        reused = draft()
        tartip.hand_in(reused)
        reused.text = "Another one."
        with pytest.raises(Refused, match="ID_REUSED"):
            tartip.hand_in(reused)
    reasons = {field.reason for field in caught.value.fields}
    assert reasons == {"LANGUAGE_UNKNOWN", "PLACE_REQUIRED", "IIN_INVALID"}
    assert caught.value.status is grpc.StatusCode.INVALID_ARGUMENT
    assert all(caught.value.texts[language] for language in ("kk", "ru", "en"))


async def test_beyond_its_share_the_client_waits_and_everything_is_handed_in(
    mesh: RunningTestMesh, service: str
) -> None:
    """Forty callers at once are more than a partner's share of calls."""
    async with AsyncReportsClient(
        service, identity_of(mesh, "eurasian"), retries=RETRIES
    ) as tartip:
        drafts = [draft() for _ in range(40)]
        receipts = await asyncio.gather(*map(tartip.hand_in, drafts))
        assert len({receipt.number for receipt in receipts}) == 40
        listed = {one.report_id async for one in tartip.list(_pages_of(7))}
        assert {report.report_id for report in drafts} <= listed


async def test_over_a_line_that_breaks_everything_is_handed_in_once(
    mesh: RunningTestMesh,
) -> None:
    relay = Relay(int(mesh.address(SERVICE).rpartition(":")[2]))
    address, picture = await relay.start(), photograph()
    reports = [draft() for _ in range(6)]
    async with AsyncReportsClient(address, identity_of(mesh, "halyk"), retries=RETRIES) as tartip:
        handing_in = asyncio.gather(*(tartip.submit(report, [picture]) for report in reports))
        for _ in range(CUTS):
            await asyncio.sleep(0.4)
            relay.cut()
        receipts = await handing_in
        found = [await tartip.get(number=receipt.number) for receipt in receipts]
    await relay.stop()
    assert relay.connections > 1
    assert [one.report_id for one in found] == [report.report_id for report in reports]
    assert {one.media_count for one in found} == {1}


async def test_a_fine_is_looked_up_quoted_and_paid_once(
    new_frame: Any, mesh: RunningTestMesh
) -> None:
    journey, vehicle = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    await journey.decide(found.body["violation_id"])
    await wait_for("the fine", lambda: journey.find_fine(found.body["violation_id"]))
    asked = fines_pb2.LookupFinesRequest(
        owner=vehicle.owner.number,
        reason=fines_pb2.LOOKUP_REASON_OWNER,
        customer_id=new_id(),
    )
    address, identity = mesh.address("fines"), identity_of(mesh, "halyk")
    async with AsyncFinesClient(address, identity, retries=RETRIES) as bank:
        (fine,) = [one async for one in bank.look_up(asked)]
        quote = await bank.quote(fine.number)
        payment = fines_pb2.PayFineRequest(
            number=fine.number,
            amount=quote.amount_now,
            bank_reference=f"RRN{new_id().replace('-', '')[-12:]}",
            value_date=almaty_day(system_clock()).isoformat(),
        )
        paid = await bank.pay(payment)
        assert paid.payment_id == payment.payment_id and await bank.pay(payment) == paid
    with FinesClient(address, identity, retries=RETRIES) as again:
        assert again.pay(payment) == paid and again.get(paid.payment_id) == paid
        assert list(again.list(fines_pb2.ListPaymentsRequest(number=fine.number))) == [paid]
        with pytest.raises(Refused, match="FINE_ALREADY_PAID"):
            again.quote(fine.number)


def _pages_of(size: int) -> pb.ListReportsRequest:
    request = pb.ListReportsRequest()
    request.page.size = size
    return request


def test_the_quickstart_runs_to_the_letter_and_keeps_its_token(
    mesh: RunningTestMesh, service: str, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "quickstart.py").write_text(code)
    (tmp_path / "photograph").write_bytes(photograph())
    pair = mesh.certificates.partner("kaspi")
    files = (mesh.certificates.authority, pair.certificate, pair.key)
    done = subprocess.run(
        [sys.executable, "quickstart.py", service, *files, "photograph"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"report KZ75-\d{4}-\d{7}, an answer is due by \d{4}-", done.stdout)
    assert "now: REPORT_STATUS_ROUTED" in done.stdout
    assert FileTokenStore(tmp_path / "tartip.token").load().isdecimal()
