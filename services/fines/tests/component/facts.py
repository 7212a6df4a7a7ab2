"""What the peers of fines answer in its tests: violations, their events, the vehicle register."""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.purpose import purpose_in
from chassis.refusals import Refusal
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2 as pb
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import events_pb2, violations_pb2, violations_pb2_grpc

REGION = "KZ-75"
STORY = "0af7651916cd43dd8448eb211c80319c"
PERSON, FIRM = "900101300017", "100140000003"
SINCE = "2015-01-01"
# A bank's own id of its customer.
CUSTOMER = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class Vehicles:
    """The embedded vehicle register: each test registers plates of its own."""

    path: Path
    records: dict[str, Any] = field(default_factory=dict)

    def register(self, plate: str, *, number: str = PERSON, times: int = 1) -> None:
        self.put(plate, *[ownership(number)] * times)

    def put(self, plate: str, *records: Any) -> None:
        """Replaces the register's records of this plate."""
        self.records[plate] = list(records)
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(self.records))
        draft.rename(self.path)


def ownership(number: str = PERSON, **changes: Any) -> dict[str, Any]:
    """A record of the register; `since` and `until` are days or moments."""
    owner = {
        "bin" if number[4] in "456" else "iin": number,
        "name": "Test Owner",
        "address": "Almaty, Abai 1",
        "phone": "+77010000000",
    }
    return {"make": "Toyota", "model": "Camry", "since": SINCE, "owner": owner} | changes


class ViolationsPeer(violations_pb2_grpc.ViolationsServicer):
    """Answers what a test put there; records who asked and for what purpose."""

    def __init__(self) -> None:
        self.known: dict[str, violations_pb2.Violation] = {}
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def GetViolation(
        self, request: violations_pb2.GetViolationRequest, context: grpc.ServicerContext
    ) -> violations_pb2.GetViolationResponse:
        metadata = dict(context.invocation_metadata())
        names: Any = context.auth_context()["peer_spiffe_id"]
        assert list(names) == [b"spiffe://tartip/service/fines"]
        self.asked.append((request.violation_id, purpose_in(metadata)))
        if request.violation_id not in self.known:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such violation")
        return violations_pb2.GetViolationResponse(violation=self.known[request.violation_id])


def moment(at: datetime) -> Any:
    return to_timestamp(at)


def a_violation(
    plate: str, *, at: datetime | None = None, decided_at: datetime | None = None, **changes: Any
) -> violations_pb2.Violation:
    """Speeding by 31 km/h on a frame of its own, without any hold; by default an hour ago."""
    decided_at = decided_at or system_clock()
    at = at or decided_at - timedelta(hours=1)
    frame = hashlib.sha256(new_id().bytes)
    fields: dict[str, Any] = {
        "violation_id": str(new_id()),
        "state": violations_pb2.VIOLATION_STATE_CONFIRMED,
        "source": violations_pb2.VIOLATION_SOURCE_DEVICE,
        "camera_id": str(new_id()),
        "place": common_pb2.Place(
            latitude=43.24, longitude=76.95, region=REGION, address="Dostyk 5"
        ),
        "occurred_at": moment(at),
        "plate": inference_pb2.Plate(text=plate, confidence=0.99),
        "offence": violations_pb2.Offence(
            code="SPEED_20_40", article="592(2)", rules_version="rules-1", rules_sha256="00" * 32
        ),
        "readings": inference_pb2.Readings(
            device_serial="SN-1",
            device_time=moment(at),
            counter=1,
            frame_sha256=frame.digest(),
            speed_kmh=93,
            speed_limit_kmh=60,
        ),
        "over_kmh": 31.0,
        "device": violations_pb2.Device(
            name="Sergek S2",
            serial="SN-1",
            certificate_number="KZ.C.1",
            verification_number="V-1",
            verification_from=moment(at - timedelta(days=30)),
            verification_until=moment(at + timedelta(days=30)),
            kind=cameras_pb2.CAMERA_KIND_SPEED_POINT,
            tolerance_kmh=2.0,
        ),
        "evidence_sha256": [hashlib.sha256(frame.digest()).hexdigest()],
        "original_sha256": [frame.hexdigest()],
        "decision": violations_pb2.Decision(
            decision_id=str(new_id()), officer="inspector-almaty", decided_at=moment(decided_at)
        ),
        "story": STORY,
    }
    return violations_pb2.Violation(**fields | changes)


def under_another_id(
    violation: violations_pb2.Violation, **changes: Any
) -> violations_pb2.Violation:
    """The same facts under another id, with changes."""
    again = violations_pb2.Violation()
    again.CopyFrom(violation)
    again.violation_id = str(new_id())
    for name, value in changes.items():
        again.ClearField(name)  # type: ignore[arg-type]
        again.MergeFrom(violations_pb2.Violation(**{name: value}))
    return again


def confirmed(violation: violations_pb2.Violation) -> events_pb2.ViolationConfirmed:
    return events_pb2.ViolationConfirmed(
        violation_id=violation.violation_id,
        region=violation.place.region,
        offence_code=violation.offence.code,
        occurred_at=violation.occurred_at,
        confirmed_at=violation.decision.decided_at,
        report_id=violation.report_id,
    )


def annulled(violation: violations_pb2.Violation) -> events_pb2.ViolationAnnulled:
    return events_pb2.ViolationAnnulled(
        violation_id=violation.violation_id,
        region=violation.place.region,
        annulled_at=moment(system_clock()),
    )


def payment_of(row: Any, **changes: Any) -> pb.PayFineRequest:
    told: dict[str, Any] = {
        "payment_id": str(new_id()),
        "number": row["number"],
        "amount": common_pb2.Money(amount_minor=row["discounted_minor"], currency="KZT"),
        "bank_reference": f"RRN{time.monotonic_ns()}",
        "value_date": row["delivered_on"].isoformat(),
    }
    return pb.PayFineRequest(**told | changes)


async def insisting(bank: Any, request: pb.PayFineRequest) -> Any:
    """As a bank does: after "away" or "overloaded" it asks again under the same id."""
    while True:
        try:
            return await bank.call("PayFine", request)
        except Refusal as refused:
            if refused.reason not in {"STORAGE_AWAY", "OVERLOADED"}:
                raise
        await asyncio.sleep(0.2)


def a_look_up(**asked: Any) -> pb.LookupFinesRequest:
    """A look-up by IIN, BIN or plate, for a customer who asks for himself."""
    told = {"reason": pb.LOOKUP_REASON_OWNER, "customer_id": CUSTOMER}
    return pb.LookupFinesRequest(**{**told, **asked})
