"""Cameras that may have seen what is reported are named, their evidence is held, and neither the
evidence store nor the app learns of the report or its cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import from_timestamp, new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.telemetry import traceparent
from chassis.transaction import SYSTEM, Scope
from citizen_reports.clients import InferenceGateway
from citizen_reports.model.cameras import CAMERAS_MAX, Sighting, Window
from citizen_reports.model.draft import Place
from citizen_reports.usecases.cameras import CameraEvidence
from host.scheduler import WaitUntilDue
from sqlalchemy import text
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, CameraRegister, Evidence, Register, complaint, draft, until
from .test_retention import THREE_YEARS, Runs, shown, withdrawn
from .test_secrecy import audited


class Away(Refusal):
    kind = Kind.UNAVAILABLE
    code = "AWAY"


@dataclass
class Peers:
    """The register and the evidence store, as far as the work on cameras asks them."""

    sightings: list[Sighting] = field(default_factory=list)
    held: dict[UUID, tuple[UUID, Window]] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    released: list[UUID] = field(default_factory=list)
    away: bool = False

    def _answer(self) -> None:
        if self.away:
            raise Away

    async def seeing(self, place: Place, at: datetime) -> list[Sighting]:
        self._answer()
        return self.sightings

    async def hold(self, hold_id: UUID, camera_id: UUID, window: Window) -> int:
        self._answer()
        assert self.held.setdefault(hold_id, (camera_id, window)) == (camera_id, window)
        self.traces.append(traceparent())
        return 0

    async def release(self, hold_id: UUID) -> None:
        self._answer()
        self.released.append(hold_id)


@pytest.fixture
def peers() -> Peers:
    return Peers()


@pytest.fixture
def work(db: Database, peers: Peers) -> Callable[[timedelta], CameraEvidence]:
    """`work(timedelta())`: the handlers, as they are at a moment to come."""

    def at(time: timedelta) -> CameraEvidence:
        return CameraEvidence(db, lambda: system_clock() + time, peers, peers)

    return at


@pytest.fixture
def runs(db: Database) -> Runs:
    return Runs(db)


def camera(metres: float, *, region: str = "KZ-75") -> cameras_pb2.SeeingCamera:
    described = cameras_pb2.CameraDescription(
        name=f"Camera at {metres:g} m", place=common_pb2.Place(region=region)
    )
    found = cameras_pb2.Camera(camera_id=str(new_id()), description=described)
    return cameras_pb2.SeeingCamera(camera=found, distance_metres=metres, is_certain=metres < 50)


def seen(count: int) -> list[Sighting]:
    return [Sighting(new_id(), f"Camera {index}", 10.0 * index, True) for index in range(count)]


async def rows_of(db: Database, report_id: str, scope: Scope = SYSTEM) -> list[Any]:
    query = "SELECT * FROM report_cameras WHERE report_id = CAST(:r AS uuid) ORDER BY position"
    async with db.begin(scope) as tx:
        return list((await tx.execute(text(query).bindparams(r=report_id))).all())


async def scheduled(db: Database, kind: str, report_id: str) -> list[datetime]:
    query = "SELECT due_at FROM work WHERE kind = :k AND key = :r"
    async with db.begin(SYSTEM) as tx:
        return list((await tx.execute(text(query).bindparams(k=kind, r=report_id))).scalars())


def at_places(register: CameraRegister, given: pb.OpenReportRequest, *cameras: Any) -> None:
    register.cameras[given.place.latitude, given.place.longitude] = list(cameras)


async def test_the_cameras_of_the_region_are_named_to_the_desk_and_not_to_the_app(
    kaspi: As, dispatcher: As, register: Register, camera_register: CameraRegister, db: Database
) -> None:
    given = draft()
    near, far, foreign = camera(12.5), camera(90.0), camera(60.0, region="KZ-19")
    at_places(camera_register, given, near, foreign, far)
    report_id, receipt = await register(given)

    async def named() -> Any:
        return (await shown(dispatcher, report_id)).cameras

    first, second = await until(named)
    assert (first.camera_id, first.name) == (near.camera.camera_id, "Camera at 12.5 m")
    assert (first.distance_metres, first.is_certain) == (12.5, True)
    assert (second.camera_id, second.is_certain) == (far.camera.camera_id, False)
    occurred = from_timestamp(given.occurred_at)
    assert from_timestamp(first.held_from) <= occurred - timedelta(minutes=15)
    assert from_timestamp(first.held_until) >= occurred + timedelta(minutes=15)
    place = (given.place.latitude, given.place.longitude)
    [asked] = [one for one in camera_register.asked if (one.latitude, one.longitude) == place]
    assert (asked.at, asked.within_metres) == (given.occurred_at, 150.0)
    listed = await dispatcher.at_desk("ListReports", pb.ReportDeskListReportsRequest())
    assert not [row for row in listed.reports if row.cameras]
    app = await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))
    assert near.camera.camera_id not in str(app)
    [entry] = await audited(db, "name_cameras", receipt.number)
    assert entry["facts"]["cameras"] == "2"
    assert near.camera.camera_id not in str(entry)


async def test_at_most_ten_are_named_and_once_however_often_the_work_is_done(
    register: Register, db: Database, peers: Peers, work: Callable[[timedelta], CameraEvidence]
) -> None:
    report_id, _ = await register()
    peers.sightings = seen(CAMERAS_MAX + 3)
    await work(timedelta()).name(report_id)
    rows = await rows_of(db, report_id)
    assert len(rows) == CAMERAS_MAX
    peers.sightings = seen(2)
    await work(timedelta()).name(report_id)
    assert await rows_of(db, report_id) == rows


async def test_work_waits_while_a_peer_is_away_and_the_report_does_not(
    register: Register, db: Database, peers: Peers, work: Callable[[timedelta], CameraEvidence]
) -> None:
    report_id, receipt = await register()
    peers.sightings, peers.away = seen(1), True
    assert receipt.number
    with pytest.raises(Away):
        await work(timedelta()).name(report_id)
    assert await rows_of(db, report_id) == []
    peers.away = False
    await work(timedelta()).name(report_id)
    peers.away = True
    with pytest.raises(Away):
        await work(timedelta()).hold(report_id)
    [row] = await rows_of(db, report_id)
    assert row.held_at is None
    peers.away = False
    with pytest.raises(WaitUntilDue):
        await work(timedelta()).hold(report_id)
    [row] = await rows_of(db, report_id)
    assert row.held_at is not None


@pytest.mark.parametrize("given", [draft, complaint])
async def test_a_hold_tells_neither_report_nor_kind_nor_moment(
    given: Callable[[], pb.OpenReportRequest],
    register: Register,
    db: Database,
    peers: Peers,
    work: Callable[[timedelta], CameraEvidence],
) -> None:
    report_id, _ = await register(given())
    peers.sightings = seen(2)
    await work(timedelta()).name(report_id)
    [due_at] = await scheduled(db, "hold_evidence", report_id)
    assert (due_at.minute % 10, due_at.second, due_at.microsecond) == (0, 0, 0)
    with pytest.raises(WaitUntilDue) as wait:
        await work(timedelta()).hold(report_id)
    assert timedelta(hours=1) < wait.value.delay < timedelta(hours=2)
    await work(timedelta(hours=2)).hold(report_id)
    [first, second] = await rows_of(db, report_id)
    assert {first.hold_id, second.hold_id} == set(peers.held), "one each, and none twice"
    assert UUID(report_id) not in peers.held
    for _, window in peers.held.values():
        for moment in (window.start, window.end):
            assert (moment.minute % 10, moment.second) == (0, 0)
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT story FROM reports WHERE report_id = CAST(:r AS uuid)")
        story = await tx.scalar(query.bindparams(r=report_id))
    assert peers.traces and not [trace for trace in peers.traces if story in trace]


async def test_cameras_are_seen_by_those_who_see_the_report(
    register: Register, db: Database, peers: Peers, work: Callable[[timedelta], CameraEvidence]
) -> None:
    (report_id, _), (hidden, _) = await register(), await register(complaint())
    peers.sightings = seen(1)
    for each in (report_id, hidden):
        await work(timedelta()).name(each)
    desk = Scope("operator", "dispatcher-almaty", ("KZ-75",), ("dispatcher",))
    elsewhere = Scope("operator", "dispatcher-almaty", ("KZ-71",), ("dispatcher",))
    bank, violations = Scope("partner", "kaspi"), Scope("service", "violations", ("*",))
    assert len(await rows_of(db, report_id, desk)) == 1
    assert await rows_of(db, hidden, desk) == []
    for scope in (elsewhere, bank, violations):
        assert await rows_of(db, report_id, scope) == []


async def test_holds_end_when_the_text_is_erased_and_the_cameras_with_it(
    kaspi: As,
    dispatcher: As,
    db: Database,
    runs: Runs,
    peers: Peers,
    work: Callable[[timedelta], CameraEvidence],
) -> None:
    report_id, _ = await withdrawn(kaspi, dispatcher, draft())
    peers.sightings = seen(2)
    await work(timedelta()).name(report_id)
    await work(timedelta(hours=2)).hold(report_id)
    await runs.after(timedelta(days=1000))
    assert await scheduled(db, "release_evidence", report_id) == []
    assert len((await shown(dispatcher, report_id)).cameras) == 2
    await runs.after(THREE_YEARS)
    assert len(await scheduled(db, "release_evidence", report_id)) == 1
    assert len((await shown(dispatcher, report_id)).cameras) == 0
    peers.away = True
    with pytest.raises(Away):
        await work(THREE_YEARS).release(report_id)
    peers.away = False
    await work(THREE_YEARS).release(report_id)
    await work(THREE_YEARS).release(report_id)
    assert sorted(peers.released) == sorted(peers.held), "each once"
    assert all(row.released_at for row in await rows_of(db, report_id))


async def test_the_client_holds_counts_and_releases(
    service: str, evidence: Evidence, as_: Callable[..., As]
) -> None:
    caller = as_("citizen-reports", kind="service")
    gateway = InferenceGateway(caller.channels.to(evidence.address, "inference-gateway"))
    hold_id, camera_id, at = new_id(), new_id(), system_clock()
    evidence.frames[str(camera_id)] = 7
    assert await gateway.hold(hold_id, camera_id, Window(at, at)) == 7
    held = evidence.holds[str(hold_id)]
    assert held is not None
    assert (held.camera_id, held.held_from) == (str(camera_id), to_timestamp(at))
    await gateway.release(hold_id)
    assert evidence.holds[str(hold_id)] is None
