"""A drive is one fine, of who owned the car then; what turns out wrong is seen where it matters."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chassis.channels import peers_refusals
from chassis.clock import new_id, system_clock
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip_cli.clients import samples
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.failures import Exit
from tartip_cli.provision.vehicles import Vehicle, synthetic_iin
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import FINES
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh


async def test_one_drive_gives_exactly_one_fine(new_frame: Any, outside: Outside) -> None:
    journey, vehicle = new_frame()
    number = await to_delivered_fine(journey)
    again = FrameToTenge(outside, journey.camera_id, journey.picture, journey.signed)
    again.frame_id = journey.frame_id
    await again.send_frame()
    fines = await journey.look_up(vehicle.owner.number)
    assert [fine.number for fine in fines] == [number]


async def test_a_buyer_of_yesterday_is_not_fined_for_what_the_seller_did(
    new_frame: Any, mesh: RunningTestMesh, personal: set[str]
) -> None:
    """Here yesterday is a moment ago: the car is sold between the drive and the decision."""
    journey, vehicle = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    buyer = sell(mesh, vehicle, journey.signed.readings.device_time.ToDatetime(tzinfo=dt.UTC))
    personal.add(buyer)
    await journey.decide(found.body["violation_id"])
    fine = await wait_for("the fine", lambda: journey.find_fine(found.body["violation_id"]))
    assert fine.body["hold_reason"] == ""
    assert [f.number for f in await journey.look_up(vehicle.owner.number)] == [fine.body["number"]]
    assert await journey.look_up(buyer) == []


async def test_a_cancelled_payment_is_seen_as_refunded_by_its_bank_alone(
    new_frame: Any, outside: Outside, mesh: RunningTestMesh
) -> None:
    journey, _ = new_frame()
    number = await to_delivered_fine(journey)
    paid = await journey.pay(await journey.quote(number))
    desk = outside.as_operator("supervisor-almaty")
    cancel = {"cancellation_id": str(new_id()), "reason": "the plate was misread"}
    await desk.post(f"/v1/fines/{number}/cancel", cancel)
    payments = await listed(outside, "kaspi", number)
    assert [payment.payment_id for payment in payments] == [paid.payment_id]
    assert payments[0].state == fines_pb2.PAYMENT_STATE_REFUNDED
    assert payments[0].refund.amount == paid.amount
    assert await listed(outside, "halyk", number) == []
    letter = mesh.home.letters / f"{number}.cancelled.html"

    async def written() -> str | None:
        return letter.read_text() if letter.exists() else None

    assert payments[0].refund.refund_id in await wait_for("the letter", written)


async def test_an_issued_fine_of_the_wrong_owner_is_named_by_the_recheck(
    new_frame: Any, outside: Outside, mesh: RunningTestMesh, personal: set[str]
) -> None:
    journey, vehicle = new_frame()
    number = await to_delivered_fine(journey)
    # The register learns that the car had been sold long before.
    personal.add(sell(mesh, vehicle, system_clock() - dt.timedelta(days=9)))
    done = tartip(mesh.home.path, "fines", "recheck", "--region", "KZ-75", "--json")
    assert done.returncode == Exit.FINDINGS, done.stderr
    answer = json.loads(done.stdout)
    (found,) = [fine for fine in answer["held"] if fine["number"] == number]
    assert (found["hold_reasons"], found["state"]) == (["OWNER_DIFFERS"], "delivered")
    assert answer["checked"] >= len(answer["held"])
    shown = await rechecked(outside, number)
    assert shown["hold_reasons"] == ["OWNER_DIFFERS"]
    assert shown["amount"]["amount_minor"] == found["amount_minor"]
    fine = await journey.find_fine(shown["violation_id"])
    assert fine is not None and fine.body["state"] == "delivered"  # nothing cancels itself


async def to_delivered_fine(journey: FrameToTenge) -> str:
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    await journey.decide(found.body["violation_id"])
    fine = await wait_for("the fine", lambda: journey.find_fine(found.body["violation_id"]))
    assert fine.body["hold_reason"] == ""
    return str(fine.body["number"])


def sell(mesh: RunningTestMesh, vehicle: Vehicle, after: dt.datetime) -> str:
    """The register says that the vehicle has been somebody else's since just after a moment; the
    buyer's IIN."""
    path = samples.vehicles_path(mesh.home, None)
    content = json.loads(path.read_text())
    records = content[vehicle.plate]
    sale = (after + dt.timedelta(milliseconds=1)).isoformat()
    buyer = synthetic_iin(random.Random(vehicle.plate))
    bought = records[0] | {"since": sale, "owner": records[0]["owner"] | {"iin": buyer}}
    content[vehicle.plate] = [bought, records[0] | {"until": sale}, *records[1:]]
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    draft.rename(path)
    return buyer


async def listed(outside: Outside, bank: str, number: str) -> list[fines_pb2.Payment]:
    stub = fines_pb2_grpc.FinePaymentsStub(outside.as_partner(bank, FINES))
    request = fines_pb2.ListPaymentsRequest(number=number)
    with peers_refusals():
        return list((await stub.ListPayments(request, timeout=10)).payments)


async def rechecked(outside: Outside, number: str) -> dict[str, Any]:
    """What the supervisor's desk shows of a fine, page after page."""
    desk, token = outside.as_operator("supervisor-almaty"), ""
    while True:
        page = (
            await desk.get("/v1/fines/recheck", purpose="recheck", page_size=3, page_token=token)
        ).body
        for fine in page["fines"]:
            if fine["number"] == number:
                return dict(fine)
        token = page["next_page_token"]
        assert token, "not among the fines that would be held"


def tartip(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", *arguments],
        env={**inherited_environment(), "TARTIP_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
