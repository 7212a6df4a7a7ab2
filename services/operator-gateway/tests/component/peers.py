"""The peers as small servers, whose records change as those of the real ones."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785
from chassis.call_context import current_caller
from chassis.clock import to_timestamp
from chassis.purpose import PurposeRequired
from chassis.refusals import Kind, Refusal, checks
from chassis.texts import Message
from PIL import Image, ImageDraw
from tartip.cameras.v1 import cameras_pb2
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.inference.v1 import inference_pb2_grpc
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from .map_peer import PeerMap

SHA = "ab" * 32
PICTURE = bytes(range(256)) * 4096
NOON = datetime(2026, 11, 27, 7, 0, 0, 250, tzinfo=UTC)


def a_photograph(*, blurred: bool = False) -> bytes:
    picture = Image.new("RGB", (960, 540), (92, 104, 110))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((300, 180, 660, 430), fill=(170, 30, 40))
    pen.rectangle((400, 360, 560, 400), fill="white")
    if blurred:
        for left in range(380, 580, 50):
            pen.rectangle((left, 340, left + 49, 420), fill=(left % 256, 72, 88))
    else:
        pen.text((420, 370), "777 ABA 02", fill="black")
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=90)
    return written.getvalue()


PHOTOGRAPH = a_photograph()
BLURRED = a_photograph(blurred=True)
BLURRED_SHA = hashlib.sha256(BLURRED).hexdigest()
PHOTOGRAPH_SHA = hashlib.sha256(PHOTOGRAPH).hexdigest()
ORIGINAL_SHA = "0e" * 32


class ViolationNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "VIOLATION_NOT_FOUND"
    message = Message(
        en="No such violation.", ru="Нет такого нарушения.", kk="Мұндай бұзушылық жоқ."
    )


class ViolationAlreadyDecided(Refusal):
    code = "VIOLATION_ALREADY_DECIDED"
    message = Message(en="Already decided.", ru="Решение уже принято.", kk="Шешім қабылданған.")


class ViolationChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "VIOLATION_CHANGED_MEANWHILE"
    message = Message(
        en="Changed meanwhile.", ru="Тем временем изменилось.", kk="Осы арада өзгерді."
    )


@dataclass
class Asked:
    """The requests that the peers got, their callers, and the records that they hold."""

    requests: list[Any] = field(default_factory=list)
    callers: list[Any] = field(default_factory=list)
    violations: dict[str, violations_pb2.Violation] = field(default_factory=dict)
    reports: dict[str, reports_pb2.DeskReport] = field(default_factory=dict)
    # What stands in the canonical bytes instead of the violation's own, by field; "" as it stands.
    tampered: dict[str, Any] = field(default_factory=dict)
    spelled: bytes = b""
    fines: int = 0
    has_templates: bool = True
    cameras: dict[str, cameras_pb2.Camera] = field(default_factory=dict)
    camera_status: cameras_pb2.CameraStatus.ValueType = cameras_pb2.CAMERA_STATUS_ONLINE
    # Where they listen: the variables that tell a gateway so.
    addresses: dict[str, str] = field(default_factory=dict)

    def note(self, request: Any) -> None:
        self.requests.append(request)
        self.callers.append(current_caller())

    def of(self, kind: type) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    def clear(self) -> None:
        for held in (self.requests, self.callers, self.violations, self.reports, self.tampered):
            held.clear()
        self.cameras.clear()
        self.spelled, self.fines, self.has_templates = b"", 0, True


def a_violation(violation_id: str, **changes: Any) -> violations_pb2.Violation:
    violation = violations_pb2.Violation(
        violation_id=violation_id,
        state=violations_pb2.VIOLATION_STATE_REVIEW,
        version=1,
        source=violations_pb2.VIOLATION_SOURCE_DEVICE,
        camera_id="camera-1",
        over_kmh=28.5,
        occurred_at=to_timestamp(NOON),
        evidence_sha256=[PHOTOGRAPH_SHA],
        original_sha256=[ORIGINAL_SHA],
        actions=["confirm", "reject"],
        models_fingerprint="models-1",
    )
    place = violation.place
    place.region, place.address = "KZ-75", "Abai 44"
    place.latitude, place.longitude = 43.238, 76.945
    violation.plate.text, violation.plate.confidence = "777ABA02", 0.97
    box = violation.plate.box
    box.x, box.y, box.width, box.height = 400, 360, 160, 40
    offence = violation.offence
    offence.code, offence.article = "SPEED_20_40", "592(2)"
    offence.rules_version, offence.rules_sha256 = "2024-12-04.1", "cd" * 32
    readings = violation.readings
    readings.device_serial, readings.counter = "SN-1", 41
    readings.device_time.CopyFrom(violation.occurred_at)
    readings.frame_sha256 = bytes.fromhex("ef" * 32)
    readings.speed_kmh, readings.speed_limit_kmh = 91.5, 60
    violation.device.name, violation.device.serial = "Sergek", "SN-1"
    violation.device.kind, violation.device.tolerance_kmh = cameras_pb2.CAMERA_KIND_SPEED_POINT, 3
    violation.device.verification_number = "V-7"
    violation.device.verification_until.CopyFrom(to_timestamp(NOON + timedelta(days=90)))
    violation.MergeFrom(violations_pb2.Violation(**changes))
    return violation


def canonical_of(violation: violations_pb2.Violation, request: Any, officer: str) -> dict[str, Any]:
    readings, device = violation.readings, violation.device
    others = list(violation.conflicting_violation_ids)
    warned = {"caution": violation.caution, "conflicting_violation_ids": others}
    place = {name: getattr(violation.place, name) for name in ("latitude", "longitude", "address")}
    return {name: value for name, value in warned.items() if value} | {
        "place": place,
        "type": "tartip-violation-decision-v1",
        "violation_id": violation.violation_id,
        "version": violation.version,
        "verdict": {1: "confirm", 2: "reject"}[request.verdict],
        "reason": request.reason,
        "officer": officer,
        "source": "device",
        "camera_id": violation.camera_id,
        "report_id": "",
        "region": violation.place.region,
        "occurred_at": _text(violation.occurred_at),
        "plate": violation.plate.text,
        "offence": {
            name: getattr(violation.offence, name)
            for name in ("code", "article", "rules_version", "rules_sha256")
        },
        "over_kmh": str(violation.over_kmh),
        "readings": {
            "device_serial": readings.device_serial,
            "device_time": _text(readings.device_time),
            "counter": str(readings.counter),
            "frame_sha256": readings.frame_sha256.hex(),
            "speed_kmh": readings.speed_kmh,
            "speed_limit_kmh": readings.speed_limit_kmh,
            "signal_phase": "",
            "signal_age_seconds": None,
            "past_stop_line": None,
        },
        "device": {
            "name": device.name,
            "serial": device.serial,
            "certificate_number": device.certificate_number,
            "verification_number": device.verification_number,
            "verification_from": "",
            "verification_until": _text(device.verification_until),
            "kind": "speed_point",
            "tolerance_kmh": device.tolerance_kmh,
        },
        "evidence_sha256": list(violation.evidence_sha256),
        "original_sha256": list(violation.original_sha256),
        "models_fingerprint": violation.models_fingerprint,
    }


def _text(stamp: Any) -> str:
    moment: datetime = stamp.ToDatetime(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class PeerViolations(violations_pb2_grpc.ViolationsServicer):
    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def GetViolation(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        operator = current_caller().operator
        assert operator is not None
        if "KZ-75" not in operator.regions:
            raise ViolationNotFound
        found = self._asked.violations.get(request.violation_id)
        violation = found or a_violation(request.violation_id)
        return violations_pb2.GetViolationResponse(violation=violation)

    async def OpenEvidence(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._asked.note(request)
        if not current_caller().purpose:
            raise PurposeRequired
        is_photograph = request.sha256 == PHOTOGRAPH_SHA
        content = PHOTOGRAPH if is_photograph else PICTURE
        yield violations_pb2.OpenEvidenceResponse(
            content_type="image/jpeg" if is_photograph or request.sha256 == SHA else "text/html",
            content=content[:1000],
            sha256=request.sha256,
            original_sha256=ORIGINAL_SHA,
            size_bytes=len(content),
        )
        for start in range(1000, len(content), 100_000):
            yield violations_pb2.OpenEvidenceResponse(content=content[start : start + 100_000])

    async def ListViolations(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        rows = [one for one in self._asked.violations.values() if one.state == request.state]
        size = request.page.size or 50
        start = int(request.page.token) if request.page.token.isdigit() else 0
        more = str(start + size) if len(rows) > start + size else ""
        token = "further" if request.page.token == "abc" else more
        found = rows[start : start + size]
        return violations_pb2.ListViolationsResponse(violations=found, next_page_token=token)

    async def PrepareDecision(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        violation = self._undecided(request)
        operator = current_caller().operator
        assert operator is not None
        said = canonical_of(violation, request, operator.operator_id)
        canonical = self._asked.spelled or rfc8785.dumps(said | self._asked.tampered)
        return violations_pb2.PrepareDecisionResponse(canonical=canonical)

    async def ConfirmViolation(self, request: Any, context: Any) -> Any:
        decided = self._decide(request, violations_pb2.VIOLATION_STATE_CONFIRMED)
        return violations_pb2.ConfirmViolationResponse(violation=decided)

    async def RejectViolation(self, request: Any, context: Any) -> Any:
        decided = self._decide(request, violations_pb2.VIOLATION_STATE_REJECTED)
        return violations_pb2.RejectViolationResponse(violation=decided)

    def _undecided(self, request: Any) -> violations_pb2.Violation:
        found = self._asked.violations.get(request.violation_id)
        violation = found or a_violation(request.violation_id)
        if violation.state != violations_pb2.VIOLATION_STATE_REVIEW:
            raise ViolationAlreadyDecided
        if getattr(request, "version", 0) not in (0, violation.version):
            raise ViolationChangedMeanwhile
        return violation

    def _decide(self, request: Any, state: Any) -> violations_pb2.Violation:
        self._asked.note(request)
        operator = current_caller().operator
        assert operator is not None
        return decide(self._undecided(request), state, operator.operator_id)


def decide(
    violation: violations_pb2.Violation, state: Any, officer: str
) -> violations_pb2.Violation:
    """As the owner does it, whoever asked: one version on, decided, nothing more to do."""
    violation.state, violation.version = state, violation.version + 1
    del violation.actions[:]
    violation.decision.officer, violation.decision.decided_at.seconds = officer, 1_795_000_000
    return violation


class PeerInference(inference_pb2_grpc.InferenceServicer):
    """Implements no call that operators make."""


class CameraChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "CAMERA_CHANGED_MEANWHILE"
    message = Message(
        en="Changed meanwhile.", ru="Тем временем изменилось.", kk="Осы арада өзгерді."
    )


class PeerCameras(PeerMap):
    """A register whose cameras are in version 3, or in the next one after a change; where it holds
    cameras (`Asked.cameras`), those are what it answers."""

    async def RegisterCamera(self, request: Any, context: Any) -> Any:
        with checks() as check:
            check.wrong("camera_id", "must be a UUIDv7")
            check.wrong("description.serial", "must not be empty")
        raise AssertionError

    async def GetStatistics(self, request: Any, context: Any) -> Any:
        row: dict[str, Any] = {
            "registered": 9,
            "connected": 8,
            "with_ai": 1,
            "online": 4,
            "offline": 3,
            "unknown": 2,
        }
        return cameras_pb2.GetStatisticsResponse(
            total=cameras_pb2.RegionStatistics(**row),
            regions=[cameras_pb2.RegionStatistics(region="KZ-75", **row)],
        )

    async def GetCamera(self, request: Any, context: Any) -> Any:
        """A camera that was registered at the moment it was asked for, if one was named."""
        if request.camera_id in self._asked.cameras:
            return cameras_pb2.GetCameraResponse(camera=self._asked.cameras[request.camera_id])
        camera = cameras_pb2.Camera(camera_id=request.camera_id, version=3)
        camera.status = self._asked.camera_status
        if request.HasField("as_of"):
            camera.registered_at.CopyFrom(request.as_of)
        return cameras_pb2.GetCameraResponse(camera=camera)

    async def ListCameras(self, request: Any, context: Any) -> Any:
        """Two pages of two cameras; those of a region called "broken" have no second page."""
        self._asked.note(cameras_pb2.ListCamerasRequest.FromString(request.SerializeToString()))
        if self._asked.cameras:
            return self.page(request)
        if request.page.token and request.region == "broken":
            raise ViolationAlreadyDecided
        at = 2 if request.page.token else 0
        cameras = [
            cameras_pb2.Camera(
                camera_id=f"camera-{number}",
                version=number,
                description=cameras_pb2.CameraDescription(name=f"Абай {number}", connected=True),
            )
            for number in (at + 1, at + 2)
        ]
        return cameras_pb2.ListCamerasResponse(
            cameras=cameras, next_page_token="" if at else "more"
        )

    async def ImportCameras(self, requests: Any, context: Any) -> Any:
        async for request in requests:
            self._asked.note(request)
            finding = cameras_pb2.RowFinding(row=2, field="version", reason="X")
            yield cameras_pb2.ImportCamerasResponse(number=1, changed=1, refused=[finding])

    async def ChangeCamera(self, request: Any, context: Any) -> Any:
        return cameras_pb2.ChangeCameraResponse(camera=self._next(request))

    async def RetireCamera(self, request: Any, context: Any) -> Any:
        return cameras_pb2.RetireCameraResponse(camera=self._next(request))

    async def MergeCameras(self, request: Any, context: Any) -> Any:
        return cameras_pb2.MergeCamerasResponse(camera=self._next(request))

    async def ListCameraVersions(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        version = cameras_pb2.CameraVersion(version=3, changed=["place.address"])
        return cameras_pb2.ListCameraVersionsResponse(versions=[version], next_page_token="more")

    def _next(self, request: Any) -> cameras_pb2.Camera:
        self._asked.note(request)
        if request.version != 3:
            raise CameraChangedMeanwhile(facts={"version": "3"})
        return cameras_pb2.Camera(camera_id=request.camera_id, version=4)


class PeerFines(fines_pb2_grpc.FinesServicer):
    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def ListFines(self, request: Any, context: Any) -> Any:
        fines = [self._fine(str(100_000_000_000_000 + at)) for at in range(self._asked.fines)]
        return fines_pb2.ListFinesResponse(fines=fines)

    async def GetFine(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        return fines_pb2.GetFineResponse(fine=self._fine(request.number))

    def _fine(self, number: str) -> fines_pb2.Fine:
        fine = fines_pb2.Fine(
            number=number,
            state=fines_pb2.FINE_STATE_DELIVERED,
            region="KZ-75",
            version=1,
            article="592(2)",
            offence_code="SPEED_20_40",
            issued_at=to_timestamp(NOON),
            occurred_at=to_timestamp(NOON),
            owner_masked="9001••••••17",
        )
        fine.amount.amount_minor, fine.amount.currency = 3_932_000, "KZT"
        return fine
