"""What is wrong is refused by its own name, with every wrong field; nothing is stored by halves."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from chassis.channels import Channels, peers_refusals
from chassis.clock import new_id, real_clock, system_clock
from chassis.refusals import Refusal
from joserfc import jwt
from tartip.reports.v1 import reports_pb2 as reports
from tartip.reports.v1 import reports_pb2_grpc
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.certificates import Authority, KeyPair
from tartip_cli.supervisor.oidc import Issuer
from tartip_cli.topology import CITIZEN_REPORTS, FINES
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh


def _jpeg(width: int, height: int) -> bytes:
    encoded = cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1]
    return encoded.tobytes()


PICTURES = {
    "NOT_A_PICTURE": lambda: b"%PDF-1.7 this is a letter, not a picture" * 30,
    "PICTURE_TRUNCATED": lambda: _jpeg(640, 360)[:-900],
    "PICTURE_TOO_LARGE": lambda: _jpeg(12000, 5000),
}


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_that_is_none_is_refused_by_name(
    name: str, new_frame: Any, sample_cameras: Any, outside: Outside
) -> None:
    journey, _ = new_frame()
    picture = PICTURES[name]()
    signed = sample_cameras[0].device.sign(picture, system_clock(), speed_kmh=90.0)
    wrong = dataclasses.replace(journey, picture=picture, signed=signed)
    with pytest.raises(Refusal) as refused:
        await wrong.send_frame()
    assert refused.value.reason == name
    # Nothing was kept under its id: the right picture may use it.
    right = dataclasses.replace(journey, frame_id=wrong.frame_id)
    right.signed = sample_cameras[0].device.sign(
        right.picture, system_clock(), speed_kmh=50.0, speed_limit_kmh=60.0
    )
    assert (await right.send_frame()).frame_id == wrong.frame_id


async def test_readings_that_the_device_did_not_sign_are_refused(
    new_frame: Any, sample_cameras: Any
) -> None:
    journey, _ = new_frame()
    forged = dataclasses.replace(journey, frame_id=str(new_id()))
    forged.signed = type(journey.signed).FromString(journey.signed.SerializeToString())
    forged.signed.readings.speed_kmh = 188.0
    with pytest.raises(Refusal, match="READINGS_NOT_SIGNED"):
        await forged.send_frame()
    other = sample_cameras[0].device.sign(b"another frame", system_clock(), speed_kmh=90.0)
    with pytest.raises(Refusal, match="READINGS_OF_OTHER_FRAME"):
        await dataclasses.replace(forged, signed=other).send_frame()


async def test_a_frame_of_an_unknown_camera_is_refused(new_frame: Any) -> None:
    journey, _ = new_frame()
    with pytest.raises(Refusal, match="CAMERA_NOT_FOUND"):
        await dataclasses.replace(journey, camera_id=str(new_id())).send_frame()


async def test_a_frame_id_with_another_picture_is_refused(
    new_frame: Any, sample_cameras: Any
) -> None:
    first, _ = new_frame({"speed_kmh": 50.0, "speed_limit_kmh": 60.0})
    await first.send_frame()
    second, _ = new_frame({"speed_kmh": 50.0, "speed_limit_kmh": 60.0})
    with pytest.raises(Refusal, match="ID_REUSED"):
        await dataclasses.replace(second, frame_id=first.frame_id).send_frame()


async def test_a_report_tells_of_every_wrong_field_at_once(new_report: Any) -> None:
    journey = new_report(text="SECRET-TEXT-OF-A-REPORT " * 400)
    journey.request.ClearField("place")
    journey.request.category = 99
    journey.request.reporter.iin = "900101300018"
    with pytest.raises(Refusal) as refused:
        await journey.open()
    assert refused.value.reason == "BAD_REQUEST"
    wrong = {error.field for error in refused.value.fields}
    assert {"place", "category", "text", "reporter.iin"} <= wrong
    with pytest.raises(Refusal, match="REPORT_NOT_FOUND"):
        await journey.report()


@pytest.mark.parametrize(
    ("field", "code"), [("place", "PLACE_REQUIRED"), ("category", "CATEGORY_UNKNOWN")]
)
async def test_one_wrong_field_gives_the_refusal_its_name(
    field: str, code: str, new_report: Any
) -> None:
    journey = new_report()
    journey.request.ClearField(field)
    with pytest.raises(Refusal) as refused:
        await journey.open()
    assert refused.value.reason == code
    assert [error.field for error in refused.value.fields] == [field]


async def test_a_report_id_with_another_content_is_refused(new_report: Any) -> None:
    journey = new_report()
    first = await journey.open()
    assert await journey.open() == first
    journey.request.text = "something else"
    with pytest.raises(Refusal, match="ID_REUSED"):
        await journey.open()


async def test_another_partners_report_answers_as_one_that_does_not_exist(
    new_report: Any, outside: Outside
) -> None:
    journey = new_report()
    await journey.open()
    await journey.upload()
    receipt = await journey.submit()
    stub = reports_pb2_grpc.CitizenReportsStub(outside.as_partner("kaspi", CITIZEN_REPORTS))
    said = []
    for number in (receipt.number, "KZ75-2026-9999999"):
        with pytest.raises(Refusal) as refused, peers_refusals():
            await stub.GetReport(reports.GetReportRequest(number=number), timeout=5)
        said.append((refused.value.reason, refused.value.message, refused.value.facts))
    assert said[0] == said[1] and said[0][0] == "REPORT_NOT_FOUND"


async def test_an_expired_token_is_refused(mesh: RunningTestMesh, outside: Outside) -> None:
    desk = outside.as_operator("inspector-almaty")
    issuer = Issuer.open(mesh.home.oidc, mesh.oidc_issuer)
    past = int(real_clock().timestamp()) - 3600
    claims = {
        "iss": issuer.url,
        "aud": "tartip",
        "sub": "inspector-almaty",
        "roles": ["inspector"],
        "regions": ["KZ-75"],
        "iat": past - 900,
        "exp": past,
    }
    header = {"alg": "ES256", "kid": issuer.key.kid, "typ": "JWT"}
    desk._token, desk._renew_at = jwt.encode(header, claims, issuer.key), time.monotonic() + 60
    with pytest.raises(Refusal, match="TOKEN_EXPIRED"):
        await desk.get("/v1/violations")
    desk._token = desk._token[:-8] + "AAAAAAAA"
    with pytest.raises(Refusal, match="NOT_AUTHENTICATED"):
        await desk.get("/v1/violations")


async def test_an_operator_of_another_region_sees_and_decides_nothing(
    new_frame: Any, outside: Outside
) -> None:
    from tartip_cli.clients.journeys import wait_for

    journey, _ = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    stranger = dataclasses.replace(journey, inspector="inspector-astana")
    assert await stranger.find_in_queue(result.evidence_sha256) is None
    for step in (stranger.violation, stranger.decide):
        with pytest.raises(Refusal, match="VIOLATION_NOT_FOUND"):
            await step(found.body["violation_id"])


async def test_a_role_that_may_not_is_refused(outside: Outside) -> None:
    desk = outside.as_operator("dispatcher-almaty")
    with pytest.raises(Refusal, match="NOT_ALLOWED"):
        await desk.get("/v1/statistics/revenue", from_day="2026-01-01", until_day="2026-01-02")


async def test_a_certificate_that_nobody_knows_reaches_no_rpc(
    outside: Outside, tmp_path: Path
) -> None:
    stranger = Authority.open(tmp_path, "ca")
    pair = KeyPair(tmp_path / "kaspi.pem", tmp_path / "kaspi.key")
    stranger.issue(pair, common_name="kaspi", uri="spiffe://tartip/partner/kaspi")
    channels = Channels(cert=pair.certificate, key=pair.key, ca=outside.certificates.authority)
    address = outside._ports.address(CITIZEN_REPORTS)
    stub = reports_pb2_grpc.CitizenReportsStub(channels.to(address, "citizen-reports"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ListReports(reports.ListReportsRequest(), timeout=5)
    assert refused.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
    await channels.close()


async def test_a_device_may_not_pay(outside: Outside) -> None:
    from tartip.fines.v1 import fines_pb2, fines_pb2_grpc

    stub = fines_pb2_grpc.FinePaymentsStub(outside.as_device("edge-1", FINES))
    with pytest.raises(Refusal, match="NOT_ALLOWED"), peers_refusals():
        await stub.QuoteFine(fines_pb2.QuoteFineRequest(number="x"), timeout=5)


async def test_a_foreign_signature_confirms_nothing(new_frame: Any, outside: Outside) -> None:
    import base64

    from tartip_cli.clients.journeys import sign, wait_for

    journey, _ = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    path = f"/v1/violations/{found.body['violation_id']}"
    desk = outside.as_operator("inspector-almaty")
    prepared = await desk.post(f"{path}/decision/prepare", {"verdict": "confirm"}, purpose="test")
    canonical = base64.b64decode(prepared.body["canonical"])
    other = outside.certificates.officer("inspector-astana")
    own = outside.certificates.officer("inspector-almaty")
    cases = {
        "CERTIFICATE_OF_OTHER_OFFICER": (other, sign(other, canonical)),
        "SIGNATURE_WRONG": (own, sign(own, canonical + b" ")),
        "CERTIFICATE_NOT_TRUSTED": (
            outside.certificates.partner("kaspi"),
            sign(outside.certificates.partner("kaspi"), canonical),
        ),
    }
    for name, (pair, signature) in cases.items():
        parts = {
            "canonical": canonical,
            "signature": signature,
            "certificate": pair.certificate.read_bytes(),
        }
        body = {key: base64.b64encode(part).decode() for key, part in parts.items()}
        with pytest.raises(Refusal) as refused:
            await desk.post(
                f"{path}/confirm", {"decision_id": str(new_id()), **body}, purpose="test"
            )
        assert refused.value.reason == name


async def test_rest_tells_of_every_wrong_field_at_once(outside: Outside) -> None:
    """First of what no message can hold; then, as gRPC does, of every value that is wrong."""
    description = {
        "name": "x",
        "place": {"latitude": 143.0, "longitude": 76.9, "region": "KZ-75"},
        "kind": "speed_point",
        "serial": "S",
        "azimuth_degrees": 400.0,
    }
    assert await _wrong_fields(outside, description | {"surplus": 1, "connected": "perhaps"}) == {
        "description.surplus",
        "description.connected",
    }
    assert {
        "description.place.latitude",
        "description.azimuth_degrees",
        "description.owner_bin",
    } <= await _wrong_fields(outside, description)


async def _wrong_fields(outside: Outside, description: dict[str, object]) -> set[str]:
    body = {"camera_id": str(new_id()), "description": description}
    with pytest.raises(Refusal) as refused:
        await outside.as_operator("cameras-1").post("/v1/cameras", body)
    assert refused.value.reason == "BAD_REQUEST"
    return {error.field for error in refused.value.fields}


def test_nothing_of_it_was_logged_in_full(mesh: RunningTestMesh) -> None:
    """Last on purpose: looks through what the tests above left in logs and spans."""
    written = [*mesh.home.logs.glob("*"), *mesh.home.spans.glob("*")]
    for path in written:
        content = path.read_text(errors="replace")
        assert "SECRET-TEXT-OF-A-REPORT" not in content, path
        assert "900101300018" not in content, path
