"""From a measured frame to a fine that a bank pays once, and the turns that it may take."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.refusals import Refusal
from tartip.inference.v1 import inference_pb2 as inference
from tartip_cli.clients.journeys import FrameToTenge, NotInTime, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.vehicles import Vehicle

pytestmark = pytest.mark.mesh
RED = {
    "signal_phase": inference.SIGNAL_PHASE_RED,
    "signal_age_seconds": 2.4,
    "past_stop_line": True,
}


async def test_a_frame_becomes_a_fine_that_a_bank_pays_once(
    new_frame: Any, outside: Outside
) -> None:
    journey, vehicle = new_frame()
    number, violation = await to_delivered_fine(journey, vehicle)
    assert violation["offence"]["code"] == "SPEED_20_40"
    assert violation["offence"]["article"] == "592(2)"
    assert violation["over_kmh"] == pytest.approx(26.0)

    open_fines = await journey.look_up(vehicle.owner.number)
    assert [fine.number for fine in open_fines] == [number]
    quote = await journey.quote(number)
    assert quote.amount_later.amount_minor == 2 * quote.amount_now.amount_minor
    assert quote.amount_now_until

    first, again = await journey.pay(quote), await journey.pay(quote)
    assert again == first
    with pytest.raises(Refusal, match="FINE_ALREADY_PAID"):
        await dataclasses.replace(journey, payment_id=str(new_id())).pay(quote)
    with pytest.raises(Refusal, match="ID_REUSED"):
        cheaper = type(quote).FromString(quote.SerializeToString())
        cheaper.amount_now.amount_minor -= 1
        await journey.pay(cheaper)

    assert await journey.look_up(vehicle.owner.number) == []
    entries = (await outside.as_operator("finance-1").get(f"/v1/fines/{number}/entries")).body
    kinds = [entry["kind"] for entry in entries["entries"]]
    assert kinds.count("payment") == 1 and kinds.count("issue") == 1


async def test_a_red_light_becomes_a_fine(new_frame: Any) -> None:
    journey, vehicle = new_frame(RED)
    _, violation = await to_delivered_fine(journey, vehicle)
    assert violation["offence"]["code"] == "RED_LIGHT"


async def test_the_same_frame_twice_gives_one_violation(new_frame: Any) -> None:
    journey, _vehicle = new_frame()
    first = await journey.send_frame()
    assert await journey.send_frame() == first
    await wait_for("the violation", lambda: journey.find_in_queue(first.evidence_sha256))
    assert len(await journey.violations_of(first.evidence_sha256)) == 1


async def test_a_second_frame_of_the_same_offence_is_not_a_second_violation(
    new_frame: Any, sample_cameras: Any, retaken: Any
) -> None:
    journey, _vehicle = new_frame()
    result = await journey.send_frame()
    await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    camera = sample_cameras[0]
    moment = journey.signed.readings.device_time.ToDatetime()
    picture = retaken(journey.picture)
    signed = camera.device.sign(
        picture,
        (moment + timedelta(seconds=1)).replace(tzinfo=UTC),
        speed_kmh=87.0,
        speed_limit_kmh=60.0,
    )
    second = dataclasses.replace(journey, frame_id=str(new_id()), picture=picture, signed=signed)
    await second.send_frame()
    probe, _ = new_frame()  # what came after has been decided: so has what came before
    later = await probe.send_frame()
    await wait_for("the later violation", lambda: probe.find_in_queue(later.evidence_sha256))
    assert len(await journey.violations_of(result.evidence_sha256)) == 1


async def test_without_readings_no_violation_arises(new_frame: Any) -> None:
    journey, vehicle = new_frame()
    unsigned = dataclasses.replace(journey, frame_id=str(new_id()))
    result = await send_without_readings(unsigned)
    assert any(plate.text == vehicle.plate for plate in result.plates)
    probe, _ = new_frame()
    later = await probe.send_frame()
    await wait_for("the later violation", lambda: probe.find_in_queue(later.evidence_sha256))
    if result.evidence_sha256:
        with pytest.raises(NotInTime):
            await wait_for(
                "no violation", lambda: journey.find_in_queue(result.evidence_sha256), seconds=1
            )


async def test_speed_within_the_limit_is_no_violation(new_frame: Any) -> None:
    journey, _ = new_frame({"speed_kmh": 71.0, "speed_limit_kmh": 60.0})
    result = await journey.send_frame()
    probe, _ = new_frame()
    later = await probe.send_frame()
    await wait_for("the later violation", lambda: probe.find_in_queue(later.evidence_sha256))
    assert await journey.find_in_queue(result.evidence_sha256) is None


async def test_a_rejected_violation_gives_no_fine(new_frame: Any, outside: Outside) -> None:
    journey, vehicle = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    violation_id = found.body["violation_id"]
    with pytest.raises(Refusal, match="REASON_REQUIRED"):
        await journey.decide(violation_id, "reject")
    decided = await journey.decide(violation_id, "reject", "the plate is another vehicle's")
    assert decided.body["violation"]["state"] == "rejected"
    other = dataclasses.replace(journey, decision_id=str(new_id()))
    with pytest.raises(Refusal, match="VIOLATION_ALREADY_DECIDED"):
        await other.decide(violation_id)
    assert await journey.look_up(vehicle.owner.number) == []


async def to_delivered_fine(journey: FrameToTenge, vehicle: Vehicle) -> tuple[str, dict[str, Any]]:
    result = await journey.send_frame()
    assert [plate.text for plate in result.plates][:1] == [vehicle.plate]
    assert [event.subject for event in result.events] == ["inference.v1.plate_read"]
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    violation = found.body
    await journey.decide(violation["violation_id"])
    fine = await wait_for("the fine", lambda: journey.find_fine(violation["violation_id"]))
    assert fine.body["hold_reason"] == ""
    assert fine.body["story"] == violation["story"]
    return str(fine.body["number"]), violation


async def send_without_readings(journey: FrameToTenge) -> inference.FrameResult:
    from tartip.inference.v1 import inference_pb2_grpc
    from tartip_cli.topology import INFERENCE_GATEWAY

    stub = inference_pb2_grpc.InferenceStub(journey.outside.as_command_line(INFERENCE_GATEWAY))
    request = inference.IngestFrameRequest(
        frame_id=journey.frame_id,
        camera_id=journey.camera_id,
        captured_at=journey.signed.readings.device_time,
        picture=journey.picture,
    )
    answer: inference.IngestFrameResponse = await stub.IngestFrame(request, timeout=30)
    return answer.result
