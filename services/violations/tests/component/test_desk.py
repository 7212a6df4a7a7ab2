"""The officers' desk: who sees what, what is signed, what is decided once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.grpc_status import from_error
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.violations.v1 import events_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .callers import refused

As = Callable[..., Any]
Reads = Callable[..., Any]
Prepared = Callable[..., Awaitable[Any]]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


async def test_a_confirmed_violation_keeps_what_was_signed_and_tells_it_once(
    inspector: Any, violation_id: str, prepared: Prepared, facts_about: Prepared
) -> None:
    request = await prepared(violation_id)
    confirmed = (await inspector.call("ConfirmViolation", request)).violation
    assert (confirmed.state, confirmed.version) == (pb.VIOLATION_STATE_CONFIRMED, 2)
    decision = confirmed.decision
    assert (decision.officer, decision.canonical) == ("inspector-almaty", request.canonical)
    assert (decision.signature, decision.certificate) == (request.signature, request.certificate)
    again = (await inspector.call("ConfirmViolation", request)).violation
    assert again == confirmed
    messages = await facts_about(violation_id, count=2)
    assert [msg.subject for msg in messages] == [
        "violations.v1.detected",
        "violations.v1.confirmed",
    ]
    assert {(msg.headers or {})["tartip-story"] for msg in messages} == {confirmed.story}
    told = events_pb2.ViolationConfirmed.FromString(messages[1].data)
    assert told.violation_id == violation_id and told.confirmed_at == decision.decided_at
    assert confirmed.plate.text.encode() not in b"".join(msg.data for msg in messages)


async def test_rejecting_needs_a_reason_and_is_told(
    inspector: Any, violation_id: str, prepared: Prepared, facts_about: Prepared
) -> None:
    bare = pb.PrepareDecisionRequest(violation_id=violation_id, verdict=pb.VERDICT_REJECT)
    assert (await refused(inspector.call("PrepareDecision", bare))).code == "REASON_REQUIRED"
    request = await prepared(violation_id, verdict=pb.VERDICT_REJECT, reason="misread")
    rejected = (await inspector.call("RejectViolation", request)).violation
    assert rejected.state == pb.VIOLATION_STATE_REJECTED and rejected.decision.reason == "misread"
    messages = await facts_about(violation_id, count=2)
    assert messages[1].subject == "violations.v1.rejected"


async def test_a_violation_is_decided_once(
    inspector: Any, violation_id: str, prepared: Prepared
) -> None:
    requests = [await prepared(violation_id) for _ in range(8)]
    outcomes = await asyncio.gather(
        *(inspector.call("ConfirmViolation", request) for request in requests),
        return_exceptions=True,
    )
    errors = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert len(errors) == 7
    assert {from_error(error).reason for error in errors} == {"VIOLATION_ALREADY_DECIDED"}
    late = pb.PrepareDecisionRequest(violation_id=violation_id, verdict=pb.VERDICT_CONFIRM)
    refusal = await refused(inspector.call("PrepareDecision", late))
    assert (refusal.code, refusal.facts) == ("VIOLATION_ALREADY_DECIDED", {"state": "CONFIRMED"})


async def test_a_decision_id_is_used_for_one_decision(
    inspector: Any,
    violation_id: str,
    prepared: Prepared,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
) -> None:
    request = await prepared(violation_id)
    await inspector.call("ConfirmViolation", request)
    await publisher.read(plate_read())
    both = await violations_of(camera.camera_id, count=2)
    [other] = [one.violation_id for one in both if one.violation_id != violation_id]
    second = await prepared(other)
    second.decision_id = request.decision_id
    assert (await refused(inspector.call("ConfirmViolation", second))).code == "ID_REUSED"


async def test_what_was_not_prepared_so_is_not_decided(
    inspector: Any, violation_id: str, prepared: Prepared, signer: Any
) -> None:
    request = await prepared(violation_id)
    told = json.loads(request.canonical)
    for changed in (
        json.dumps(told).encode(),  # the same facts, not canonical
        json.dumps(told | {"plate": "000AAA01"}, separators=(",", ":"), sort_keys=True).encode(),
        json.dumps(told | {"reason": "\ud800"}).encode(),
        b"[" * 5_000,
        b"{}",
        b"nonsense",
    ):
        request.canonical = changed
        request.signature, request.certificate = signer.sign(changed)
        refusal = await refused(inspector.call("ConfirmViolation", request))
        assert refusal.code == "DECISION_NOT_PREPARED"


async def test_a_confirmation_is_no_rejection(
    inspector: Any, violation_id: str, prepared: Prepared
) -> None:
    confirm = await prepared(violation_id)
    reject = pb.RejectViolationRequest(
        decision_id=confirm.decision_id,
        violation_id=violation_id,
        canonical=confirm.canonical,
        signature=confirm.signature,
        certificate=confirm.certificate,
    )
    assert (await refused(inspector.call("RejectViolation", reject))).code == "REASON_REQUIRED"


async def test_only_the_officers_own_signature_decides(
    inspector: Any, violation_id: str, prepared: Prepared, signer: Any, engines: RunningTestMesh
) -> None:
    request = await prepared(violation_id)
    foreign = await prepared(violation_id, officer="inspector-astana")
    assert (
        await refused(inspector.call("ConfirmViolation", foreign))
    ).code == "CERTIFICATE_OF_OTHER_OFFICER"
    foreign.certificate = request.certificate
    assert (await refused(inspector.call("ConfirmViolation", foreign))).code == "SIGNATURE_WRONG"
    foreign.certificate = engines.certificates.service("tartip-cli").certificate.read_bytes()
    assert (
        await refused(inspector.call("ConfirmViolation", foreign))
    ).code == "CERTIFICATE_NOT_TRUSTED"
    await inspector.call("ConfirmViolation", request)


async def test_an_expired_verification_is_seen_but_never_confirmed(
    inspector: Any,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    prepared: Prepared,
) -> None:
    yesterday = to_timestamp(system_clock() - timedelta(days=1))
    camera.description.verifications[0].valid_until.CopyFrom(yesterday)
    await publisher.read(plate_read())
    [violation] = await violations_of(camera.camera_id)
    assert violation.hold_reason == "DEVICE_NOT_VERIFIED"
    prepare = pb.PrepareDecisionRequest(
        violation_id=violation.violation_id, verdict=pb.VERDICT_CONFIRM
    )
    refusal = await refused(inspector.call("PrepareDecision", prepare))
    assert refusal.code == "NOT_AUTOMATIC"
    assert refusal.facts == {"hold_reason": "DEVICE_NOT_VERIFIED"}
    request = await prepared(
        violation.violation_id, verdict=pb.VERDICT_REJECT, reason="not verified"
    )
    await inspector.call("RejectViolation", request)


@pytest.mark.parametrize("plate_type", ["police", "diplomat", "special"])
async def test_service_and_immune_plates_are_held(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    plate_type: str,
) -> None:
    await publisher.read(plate_read(plate_type=plate_type))
    [violation] = await violations_of(camera.camera_id)
    assert violation.hold_reason == "PLATE_NOT_AUTOMATIC"


async def test_low_confidence_is_shown_and_left_to_the_officer(
    inspector: Any,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    prepared: Prepared,
) -> None:
    await publisher.read(plate_read(confidence=0.5))
    [violation] = await violations_of(camera.camera_id)
    request = await prepared(violation.violation_id)
    confirmed = (await inspector.call("ConfirmViolation", request)).violation
    assert confirmed.plate.confidence == 0.5


async def test_a_supervisor_annuls_what_was_confirmed(
    as_: As, inspector: Any, violation_id: str, prepared: Prepared, facts_about: Prepared
) -> None:
    supervisor = as_(operator="supervisor-almaty")
    annul = pb.AnnulViolationRequest(
        decision_id=str(new_id()), violation_id=violation_id, reason="stolen car"
    )
    assert (await refused(inspector.call("AnnulViolation", annul))).code == "NOT_ALLOWED"
    assert (
        await refused(supervisor.call("AnnulViolation", annul))
    ).code == "VIOLATION_NOT_CONFIRMED"
    await inspector.call("ConfirmViolation", await prepared(violation_id))
    bare = pb.AnnulViolationRequest(decision_id=annul.decision_id, violation_id=violation_id)
    assert (await refused(supervisor.call("AnnulViolation", bare))).code == "REASON_REQUIRED"
    annulled = (await supervisor.call("AnnulViolation", annul)).violation
    assert annulled.state == pb.VIOLATION_STATE_ANNULLED
    assert (annulled.decision.officer, annulled.decision.reason) == (
        "supervisor-almaty",
        "stolen car",
    )
    assert (await supervisor.call("AnnulViolation", annul)).violation == annulled
    messages = await facts_about(violation_id, count=3)
    assert messages[2].subject == "violations.v1.annulled"


async def test_every_wrong_field_of_a_decision_is_named(inspector: Any) -> None:
    refusal = await refused(inspector.call("ConfirmViolation", pb.ConfirmViolationRequest()))
    assert {error.field for error in refusal.fields} == {
        "decision_id",
        "canonical",
        "signature",
        "certificate",
    }
    refusal = await refused(
        inspector.call(
            "ListViolations",
            pb.ListViolationsRequest(
                state=77,  # type: ignore[arg-type]
                region="x" * 50,
                page=common_pb2.Page(size=1),
            ),
        )
    )
    assert {error.field for error in refusal.fields} == {"state", "region"}


async def test_a_decision_is_prepared_on_the_version_that_was_shown(
    inspector: Any, violation_id: str
) -> None:
    def request(version: int) -> pb.PrepareDecisionRequest:
        return pb.PrepareDecisionRequest(
            violation_id=violation_id, verdict=pb.VERDICT_CONFIRM, version=version
        )

    unversioned = await inspector.call("PrepareDecision", request(0))
    assert (await inspector.call("PrepareDecision", request(1))) == unversioned
    refusal = await refused(inspector.call("PrepareDecision", request(2)))
    assert (refusal.code, refusal.facts) == ("VIOLATION_CHANGED_MEANWHILE", {"version": "1"})
    refusal = await refused(inspector.call("PrepareDecision", request(-1)))
    assert [error.field for error in refusal.fields] == ["version"]


async def test_what_is_annulled_is_the_version_that_was_shown(
    as_: As, inspector: Any, violation_id: str, prepared: Prepared
) -> None:
    supervisor = as_(operator="supervisor-almaty")
    await inspector.call("ConfirmViolation", await prepared(violation_id))
    annul = pb.AnnulViolationRequest(
        decision_id=str(new_id()), violation_id=violation_id, reason="stolen car", version=1
    )
    refusal = await refused(supervisor.call("AnnulViolation", annul))
    assert (refusal.code, refusal.facts) == ("VIOLATION_CHANGED_MEANWHILE", {"version": "2"})
    annul.version = -2
    refusal = await refused(supervisor.call("AnnulViolation", annul))
    assert [error.field for error in refusal.fields] == ["version"]
    annul.version = 2
    annulled = (await supervisor.call("AnnulViolation", annul)).violation
    assert (await supervisor.call("AnnulViolation", annul)).violation == annulled
