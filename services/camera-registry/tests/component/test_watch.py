"""Statuses, on a register of its own: what a hub reports, what its silence means, and when."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from camera_registry.consumers import read_report
from camera_registry.model.camera import INTERVAL
from camera_registry.model.hubs import Outcome
from camera_registry.model.status import CameraStatus
from camera_registry.storage.search import Filters
from camera_registry.usecases.hubs import Hubs
from host.leases import LeaseLost
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import events_pb2

from .own_register import ADMINISTRATOR, UNREACHABLE, WORKING, OwnRegister

UNKNOWN, ONLINE, OFFLINE = CameraStatus.UNKNOWN, CameraStatus.ONLINE, CameraStatus.OFFLINE
SILENCE = 1.5 * INTERVAL
SECOND = timedelta(seconds=1)


async def incident(own: OwnRegister, region: str = "KZ-75") -> Any:
    """The open incident of the hub of a region, or None."""
    found = await Hubs(own.db).page(
        region, is_silent=False, after=None, size=10, caller=ADMINISTRATOR
    )
    return found[0].incident


async def events(scratch: Any, subject: str) -> list[bytes]:
    connection = await asyncpg.connect(scratch.provisioner)
    rows = await connection.fetch(
        "SELECT payload FROM camera_registry.outbox WHERE subject = $1 ORDER BY position", subject
    )
    await connection.close()
    return [row["payload"] for row in rows]


async def test_a_hub_says_which_of_its_cameras_work(own: OwnRegister) -> None:
    conditions = {await own.camera(): number for number in (1, 2, 3, 4)}
    left_out = await own.camera()
    own.now += 2 * INTERVAL
    assert await own.report(own.hubs["KZ-75"], conditions) is Outcome.HEARD
    assert [await own.reason(each) for each in (*conditions, left_out)] == [
        (ONLINE, ""),
        (OFFLINE, "UNREACHABLE"),
        (CameraStatus.TAMPERED, ""),
        (CameraStatus.DEGRADED, "PICTURE_STALE"),
        (OFFLINE, "NOT_REPORTED"),
    ]
    own.now += INTERVAL
    await own.report(own.hubs["KZ-75"], dict.fromkeys((*conditions, left_out), WORKING))
    for camera in (*conditions, left_out):
        assert await own.status(camera) == (ONLINE, own.now)


async def test_a_status_that_stays_is_as_of_the_last_report(own: OwnRegister) -> None:
    working, gone = await own.camera(), await own.camera()
    await own.beat(working)
    await own.beat(gone, condition=UNREACHABLE)
    own.now += INTERVAL
    await own.beat()
    assert await own.status(working) == (ONLINE, own.now)
    assert await own.status(gone) == (OFFLINE, own.now)
    assert (await own.known(gone)).status_version == 1


async def test_a_camera_is_not_left_out_of_a_report_that_is_older_than_it(
    own: OwnRegister,
) -> None:
    hub = own.hubs["KZ-75"]
    signed = events_pb2.SignedHubReport.FromString(hub.report({}, own.now))
    camera = await own.camera()
    await own.judge(None)
    own.reports.take(read_report(signed.report), own.now)
    await own.judge(None)
    assert await own.reason(camera) == (UNKNOWN, "")
    own.now += 2 * INTERVAL
    await own.report(hub, {})
    assert await own.reason(camera) == (OFFLINE, "NOT_REPORTED")


async def test_a_hub_reports_on_its_own_cameras_alone(own: OwnRegister) -> None:
    """Neither on another hub's, nor on one without a hub, nor on one of another region."""
    camera = await own.camera()
    without = await own.camera(hub_id="")
    other = await own.hub()
    conditions = dict.fromkeys((camera, without), WORKING)
    await own.report(other, conditions)
    await own.report(own.hubs["KZ-71"], conditions)
    assert [(await own.status(each))[0] for each in conditions] == [UNKNOWN, UNKNOWN]
    assert own.reports.take_foreign() == 4


@pytest.mark.parametrize(
    ("minutes", "outcome"),
    [(-4, Outcome.BEHIND), (2, Outcome.AHEAD), (24 * 60, Outcome.AHEAD), (0, Outcome.REPEATED)],
)
async def test_a_report_of_another_time_or_of_an_old_number_says_nothing(
    own: OwnRegister, minutes: int, outcome: Outcome
) -> None:
    camera, hub = await own.camera(), own.hubs["KZ-75"]
    await own.report(hub, {camera: UNREACHABLE})
    if outcome is Outcome.REPEATED:
        hub.number -= 1
    arrives_at, own.now = own.now, own.now + timedelta(minutes=minutes)
    signed = events_pb2.SignedHubReport.FromString(hub.report({camera: WORKING}, own.now))
    own.now = arrives_at
    report = read_report(signed.report)
    assert own.reports.take(report, own.now)[0] is outcome
    await own.judge(None)
    assert (await own.status(camera))[0] is OFFLINE


async def test_a_clock_that_is_off_and_an_ended_verification_degrade(own: OwnRegister) -> None:
    clock, papers = await own.camera(), await own.camera(verifications=[_ended(own)])
    hub, conditions = own.hubs["KZ-75"], dict.fromkeys((clock, papers), WORKING)
    await own.report(hub, conditions, clock_offsets={clock: -2500, papers: 100})
    assert await own.reason(clock) == (CameraStatus.DEGRADED, "CLOCK_OFF")
    assert await own.reason(papers) == (CameraStatus.DEGRADED, "VERIFICATION_ENDED")
    assert [(await own.known(each)).clock_offset_milliseconds for each in conditions] == [-2500, 0]
    await own.report(hub, conditions)
    assert await own.reason(clock) == (CameraStatus.ONLINE, "")
    assert (await own.known(clock)).clock_offset_milliseconds == 0


def _ended(own: OwnRegister) -> pb.Verification:
    paper = pb.Verification(number="V-0")
    paper.valid_from.FromDatetime(own.now - timedelta(days=800))
    paper.valid_until.FromDatetime(own.now - timedelta(days=2))
    return paper


async def test_a_silent_hub_makes_its_cameras_unknown_and_one_incident_and_returns(
    own: OwnRegister, scratch: Any
) -> None:
    cameras = [await own.camera() for _ in range(3)]
    heard_at = own.now
    await own.beat(*cameras)
    own.now += SILENCE - SECOND
    await own.judge(own.start - INTERVAL)
    assert await own.status(cameras[0]) == (ONLINE, heard_at)
    assert await incident(own) is None
    own.now += SECOND
    for _ in range(3):
        await own.judge(own.start - INTERVAL)
        own.now += SECOND
    assert [await own.status(each) for each in cameras] == [(UNKNOWN, heard_at)] * 3
    assert await own.reason(cameras[0]) == (UNKNOWN, "HUB_SILENT")
    found = await incident(own)
    assert (found.silent_since, found.cameras, found.times) == (heard_at, 3, 1)
    assert own.reports.silent == 1
    await own.beat()
    assert [await own.status(each) for each in cameras] == [(ONLINE, own.now)] * 3
    assert await incident(own) is None and own.reports.silent == 0
    for subject in ("cameras.v1.hub_silent", "cameras.v1.hub_heard"):
        assert len(await events(scratch, subject)) == 1
    changes = [
        events_pb2.CameraStatusChanged.FromString(payload)
        for payload in await events(scratch, "cameras.v1.status_changed")
    ]
    assert [(bytes(each.statuses), list(each.versions)) for each in changes] == [
        (bytes([pb.CAMERA_STATUS_ONLINE]) * 3, [1] * 3),
        (bytes([pb.CAMERA_STATUS_UNKNOWN]) * 3, [2] * 3),
        (bytes([pb.CAMERA_STATUS_ONLINE]) * 3, [3] * 3),
    ]


async def test_a_hub_that_falls_silent_again_has_the_same_incident(own: OwnRegister) -> None:
    await own.beat(await own.camera())
    identifiers = set()
    for times in (1, 2, 3):
        own.now += 2 * SILENCE
        await own.judge(own.start - SILENCE)
        found = await incident(own)
        assert found.times == times
        identifiers.add(found.incident_id)
        await own.beat()
    assert len(identifiers) == 1


async def test_what_was_not_listened_to_is_unknown_and_no_incident(own: OwnRegister) -> None:
    camera = await own.camera()
    await own.beat(camera)
    own.now += 2 * SILENCE
    await own.judge(None)
    assert await own.status(camera) == (UNKNOWN, own.start)
    assert await incident(own) is None
    began = own.now
    own.now += SILENCE - SECOND
    await own.judge(began)
    assert await incident(own) is None
    own.now += SECOND
    await own.judge(began)
    assert (await incident(own)).silent_since == own.start


async def test_ten_thousand_cameras_fall_silent_and_return_together(
    own: OwnRegister, scratch: Any
) -> None:
    many = 10_000
    await _add_cameras(own, scratch, many)
    hub, ids = own.hubs["KZ-75"], await _camera_ids(scratch)

    async def report() -> None:
        await own.judge(own.start - SILENCE)
        signed = events_pb2.SignedHubReport.FromString(hub.signed_ids(ids, own.now))
        own.reports.take(read_report(signed.report), own.now)
        await own.judge(own.start - SILENCE)

    await report()
    assert await _statuses(own) == {ONLINE: many}
    own.now += SILENCE
    await own.judge(own.start - SILENCE)
    assert await _statuses(own) == {UNKNOWN: many}
    assert (await incident(own)).cameras == many
    own.now += INTERVAL
    await report()
    assert await _statuses(own) == {ONLINE: many}
    assert await incident(own) is None
    assert len(await events(scratch, "cameras.v1.status_changed")) == 3
    assert len(await events(scratch, "cameras.v1.hub_silent")) == 1


async def _add_cameras(own: OwnRegister, scratch: Any, many: int) -> None:
    """Copies of one camera, added as fast as the database can."""
    one = await own.camera()
    connection = await asyncpg.connect(scratch.provisioner)
    await connection.execute(
        "SET search_path TO camera_registry;"
        " CREATE TEMP TABLE copies AS SELECT cameras.* FROM cameras,"
        f" generate_series(2, {many});"
        " UPDATE copies SET camera_id = gen_random_uuid(), serial_folded = gen_random_uuid();"
        " INSERT INTO cameras SELECT * FROM copies"
    )
    await connection.close()
    assert await own.known(one)


async def _camera_ids(scratch: Any) -> bytes:
    connection = await asyncpg.connect(scratch.provisioner)
    rows = await connection.fetch("SELECT camera_id FROM camera_registry.cameras")
    await connection.close()
    return b"".join(row["camera_id"].bytes for row in rows)


async def _statuses(own: OwnRegister) -> dict[CameraStatus, int]:
    [counted] = await own.statistics("KZ-75")
    return dict(counted.of("registered"))


async def test_nobody_is_online_because_nobody_looks(own: OwnRegister) -> None:
    """No listener runs: what one stored holds for two intervals after a report at most."""
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + SILENCE - SECOND
    await own.judge(None)
    own.now = own.start + 2 * INTERVAL
    assert await own.status(camera) == (UNKNOWN, own.start)
    for status, expected in ((ONLINE, []), (UNKNOWN, [camera])):
        found = await own.register.page(
            Filters(status=status), after=None, size=10, caller=ADMINISTRATOR
        )
        assert [one.camera_id for one in found] == expected
    [counted] = await own.statistics()
    assert counted.of("registered") == {UNKNOWN: 1}


async def test_a_change_of_a_camera_nobody_looks_at_does_not_write_its_status_down(
    own: OwnRegister,
) -> None:
    """A status is written together with its event or not at all."""
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + timedelta(hours=1)
    await own.change(camera, name="Another name")
    own.now = own.start
    assert await own.status(camera) == (ONLINE, own.start)


async def test_a_report_from_before_the_clock_was_set_back_counts_no_more(
    own: OwnRegister,
) -> None:
    silent = await own.camera()
    await own.beat(silent)
    own.now = own.start - timedelta(hours=1)
    await own.judge(own.now)
    assert await own.status(silent) == (UNKNOWN, own.now)
    await own.beat()
    assert await own.status(silent) == (ONLINE, own.now)


async def test_who_gets_another_hub_is_unknown_until_that_one_reports(own: OwnRegister) -> None:
    camera = await own.camera()
    await own.beat(camera)
    other = await own.hub()
    await own.change(camera, hub_id=str(other.hub_id))
    assert (await own.status(camera))[0] is UNKNOWN
    await own.beat()
    assert (await own.status(camera))[0] is UNKNOWN
    await own.report(other, {camera: WORKING})
    assert (await own.status(camera))[0] is ONLINE


async def test_who_restarts_knows_what_was_reported(own: OwnRegister) -> None:
    """Another copy takes over: nothing changes by that alone, and old numbers stay old."""
    camera, hub = await own.camera(), own.hubs["KZ-75"]
    await own.beat(camera)
    before = await own.known(camera)
    own.reports = await own.watch.begin(own.lease)
    await own.judge(None)
    assert await own.known(camera) == before
    hub.number -= 1
    assert await own.report(hub, {camera: UNREACHABLE}) is Outcome.REPEATED
    own.now += 2 * SILENCE
    await own.judge(None)
    assert (await own.status(camera))[0] is UNKNOWN


async def test_a_watch_that_lost_its_lease_changes_no_status(
    own: OwnRegister, scratch: Any
) -> None:
    camera = await own.camera()
    await own.beat(camera)
    own.now += 2 * SILENCE
    connection = await asyncpg.connect(scratch.work)
    await connection.execute("UPDATE leases SET generation = generation + 1")
    await connection.close()
    with pytest.raises(LeaseLost):
        await own.judge(own.start)
    own.now = own.start
    assert (await own.status(camera))[0] is ONLINE
