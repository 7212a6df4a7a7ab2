"""What traces tell: exactly who caused work where, each journey as one story, nothing personal.

The mesh's spans are read from the disk, as `tartip trace` reads them.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from chassis.telemetry import ATTRIBUTES, UUID_SHAPE
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients import samples
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.readings import Device
from tartip_cli.clients.samples import SampleCamera
from tartip_cli.telemetry.spans import SpanFiles
from tartip_cli.telemetry.story import Story
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh

OUTSIDE, GATEWAY = "tartip-cli", "operator-gateway"
FRAME_TO_TENGE = {
    (OUTSIDE, "inference-gateway"),  # a device sends the frame
    ("inference-gateway", "camera-registry"),  # a camera it has not seen before
    ("inference-gateway", "violations"),  # plate_read
    ("violations", "camera-registry"),  # place, device, verification
    ("violations", "citizen-reports"),  # detected, confirmed: is it a reporter's?
    (GATEWAY, "violations"),  # review and decision
    ("violations", "fines"),  # confirmed
    ("fines", "violations"),  # what to prescribe
    ("fines", "citizen-reports"),  # issued
    (GATEWAY, "fines"),
    (OUTSIDE, "fines"),  # a bank looks up, quotes, pays
}
REPORT_TO_ANSWER = {
    (OUTSIDE, "citizen-reports"),  # an app opens, uploads, submits
    ("citizen-reports", "inference-gateway"),  # media become evidence, plates are read in them
    ("citizen-reports", "camera-registry"),  # which cameras saw the place; no hold is in it
    (GATEWAY, "citizen-reports"),  # the desk takes, accepts, answers
    ("citizen-reports", "violations"),  # traffic_evidence_accepted
    ("violations", "citizen-reports"),  # what exactly was accepted; what came of it
    (GATEWAY, "violations"),  # an officer decides the candidate
}
RESOURCE_KEYS = {
    "service.name",
    "service.namespace",
    "service.instance.id",
    "service.version",
    "deployment.environment.name",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
}
IDS = {
    "tartip.camera": UUID_SHAPE,
    "tartip.import": UUID_SHAPE,
    "tartip.hub": UUID_SHAPE,
    "tartip.entry": UUID_SHAPE,
    "tartip.frame": UUID_SHAPE,
    "tartip.violation": UUID_SHAPE,
    "tartip.payment": UUID_SHAPE,
    "tartip.report": UUID_SHAPE + "|KZ[0-9]{2}-[0-9]{4}-[0-9]{7}",
    "tartip.fine": "[0-9]{15}",
}
SETTLED_SECONDS = 4.0


async def test_a_frame_to_tenge_story_has_exactly_these_edges(
    new_frame: Any, outside: Outside, mesh: RunningTestMesh
) -> None:
    journey, vehicle = new_frame(camera=await new_camera(mesh, outside))
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    violation_id = found.body["violation_id"]
    await journey.violation(violation_id)
    await journey.decide(violation_id)
    fine = (await wait_for("the fine", lambda: journey.find_fine(violation_id))).body
    await journey.outside.as_operator("inspector-almaty").get(
        f"/v1/fines/{fine['number']}", purpose="test"
    )
    await journey.look_up(vehicle.owner.number)
    await journey.pay(await journey.quote(fine["number"]))
    story = settled_story(mesh, fine["number"], until="fines.v1.paid")
    assert story.edges() == FRAME_TO_TENGE
    assert set(story.services) == {s for edge in FRAME_TO_TENGE for s in edge}
    assert found.body["story"] in story.traces
    first = min(story.spans, key=lambda span: span.start_ns)
    assert first.service == OUTSIDE and first.trace_id == found.body["story"]
    by_violation = settled_story(mesh, violation_id, until="fines.v1.paid")
    assert set(by_violation.traces) == set(story.traces), "by any of its numbers the same story"


async def test_a_report_to_answer_story_has_exactly_these_edges(
    new_report: Any, outside: Outside, mesh: RunningTestMesh, personal: set[str]
) -> None:
    journey = new_report()
    await journey.open()
    await journey.upload()
    receipt = await journey.submit()
    await wait_for("the report", journey.find_on_desk)
    await journey.act("take")
    personal.add("778TTP02")
    await journey.act("accept-traffic-evidence", plate="778TTP02", offence_code="RED_LIGHT")

    async def candidate() -> str | None:
        page = await outside.as_operator("inspector-almaty").get(
            "/v1/violations", state="review", page_size=200
        )
        ours = (v for v in page.body["violations"] if v["report_id"] == journey.report_id)
        return next((str(v["violation_id"]) for v in ours), None)

    violation_id = await wait_for("the candidate", candidate)
    desk = FrameToTenge(outside, "", b"", signed=None)  # type: ignore[arg-type]
    await desk.decide(violation_id, "reject", "a protocol was drawn up instead")

    async def outcome() -> str | None:
        return (await journey.report()).outcome or None

    await wait_for("the outcome", outcome)
    if (await journey.report()).status not in (
        reports.REPORT_STATUS_ANSWERED,
        reports.REPORT_STATUS_CLOSED,
    ):
        await journey.act("answer", answer="Меры приняты.", outcome="measures_taken")
    story = settled_story(mesh, receipt.number, until="violations.v1.rejected")
    assert story.edges() == REPORT_TO_ANSWER
    assert set(story.services) == {s for edge in REPORT_TO_ANSWER for s in edge}


def test_spans_carry_no_attribute_outside_of_the_lists(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    """Of all spans of the session, whichever test caused them. Ids have the shape of ids."""
    unknown: dict[str, set[str]] = {}
    resources, events = set(), 0
    for document in documents(mesh.home.spans):
        for resource in document["resourceSpans"]:
            resources |= {pair["key"] for pair in resource["resource"]["attributes"]}
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    events += len(span.get("events", []))
                    for pair in span.get("attributes", []):
                        if not allowed(pair["key"], pair["value"]):
                            unknown.setdefault(pair["key"], set()).add(span["name"])
    assert not unknown
    assert resources <= RESOURCE_KEYS
    assert events == 0, "an event's text (an exception's, say) may hold a row"


def allowed(key: str, value: dict[str, Any]) -> bool:
    if key in IDS:
        return re.fullmatch(IDS[key], str(value.get("stringValue"))) is not None
    return key in ATTRIBUTES


def test_nothing_personal_stands_in_spans_and_logs(
    mesh: RunningTestMesh, sample_cameras: Any, personal: set[str]
) -> None:
    time.sleep(SETTLED_SECONDS)
    assert len(personal) > 10
    written = [*mesh.home.spans.glob("*"), *mesh.home.logs.glob("*")]
    assert written
    for path in written:
        content = path.read_text(errors="replace")
        # JSON may write a letter that is not ASCII as an escape.
        unescaped = content.encode().decode("unicode_escape", "replace") if "\\u" in content else ""
        for text in personal:
            assert text not in content and text not in unescaped, f"{path.name}: {text}"


def test_no_subject_and_no_outbox_row_names_a_person(
    mesh: RunningTestMesh, sample_cameras: Any, personal: set[str]
) -> None:
    """Events keep ids; the one that carries a plate is read by violations alone."""
    import asyncio

    import asyncpg

    async def payloads() -> list[bytes]:
        found: list[bytes] = []
        for schema in ("camera_registry", "violations", "fines", "citizen_reports"):
            connection = await asyncpg.connect(mesh.database.owner_url(schema))
            rows = await connection.fetch(f"SELECT payload FROM {schema}.outbox")
            found += [bytes(row["payload"]) for row in rows]
            await connection.close()
        return found

    content = b"\n".join(asyncio.run(payloads()))
    assert content
    for text in personal:
        assert text.encode() not in content, text


async def new_camera(mesh: RunningTestMesh, outside: Outside) -> SampleCamera:
    """A speed camera that no service has ever asked about."""
    known = samples.sample_cameras(mesh.home, now=system_clock())[0]
    camera_id = str(new_id())
    device = Device.open(mesh.home.path / "demo" / "devices", f"TEST-{camera_id[-12:]}")
    described = {
        **known.body["description"],
        "serial": device.serial,
        "device_key": base64.b64encode(device.public_key).decode(),
    }
    body = {"camera_id": camera_id, "description": described}
    camera = dataclasses.replace(known, camera_id=camera_id, device=device, body=body)
    await samples.register(outside, [camera])
    return camera


def settled_story(mesh: RunningTestMesh, query: str, *, until: str) -> Story:
    """The story once its last event is told; spans arrive some moments after the fact."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(1)
        story = mesh.story(query)
        if story is not None and any(until in span.name for span in story.spans):
            time.sleep(SETTLED_SECONDS)
            last = mesh.story(query)
            assert last is not None
            return last
    raise AssertionError(f"the story of {query} does not tell of {until}")


def documents(folder: Path) -> list[dict[str, Any]]:
    files = SpanFiles(folder).files()
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]
