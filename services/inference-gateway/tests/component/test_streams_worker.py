"""What a worker writes of the streams it holds, and what it leaves, on the real database.

Workers here are of this process; the service that runs beside them shares the tables, so streams of
these tests are leased for longer than it would wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.refusals import ClockUnsure
from chassis.transaction import SYSTEM, Tx
from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import Camera
from inference_gateway.cameras.storage import cache_camera
from inference_gateway.consumers import on_changed
from inference_gateway.evidence.storage import BlobStore
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames.storage import frames
from inference_gateway.ingest.usecases import SessionParts
from inference_gateway.ingest.video_session import Subject, VideoSession, _Sighting
from inference_gateway.streams import storage
from inference_gateway.streams import worker as worker_module
from inference_gateway.streams.assignment import StreamAssignment
from inference_gateway.streams.usecases import StreamsDesk
from inference_gateway.streams.worker import CALLER
from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from tartip.cameras.v1 import events_pb2 as camera_events
from vision.boxes import Box
from vision.plates.reading import Plate

from .streams_holder import ADDRESS, NOTHING, REGION, Holder, Undone, leased, seen


async def test_a_fact_that_cannot_be_kept_takes_no_other_with_it(holder: Holder) -> None:
    before = seen()
    # One whose event was told before, and one whose frame was, with other content.
    twice = seen(event_id=before.facts[0].event.event_id)
    other = seen(frame_id=before.result.frame_id)
    facts = [before, twice, seen(), other, seen()]
    kept, beside = await holder.hold(*facts), await holder.hold(seen())
    await holder.worker._commit()
    assert await holder.told([facts[0], facts[2], facts[4]]) == [True] * 3
    assert await holder.told([other]) == [False]
    for each in (kept, beside):
        assert each.sent is None and not each.facts
        assert (await holder.stream_of(each)).accounted_until == each.watch.slots.until


async def test_a_fact_that_another_transaction_stands_in_the_way_of_waits(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = seen()
    await holder.hold(known)
    await holder.worker._commit()
    # The first cannot be kept, so each is settled by itself; the second cannot be kept yet.
    facts = [seen(frame_id=known.result.frame_id), seen(), seen()]
    kept = await holder.hold(*facts)
    with pytest.raises(Undone):
        async with holder.db.begin(SYSTEM) as tx:
            await tx.once(CALLER.key, facts[1].result.frame_id, b"other")
            with monkeypatch.context() as patched, pytest.raises(TimeoutError):
                patched.setattr(worker_module, "STATEMENT_SECONDS", 0.5)
                await holder.worker._commit()
            raise Undone
    assert kept.facts == facts
    await holder.worker._commit()
    assert await holder.told(facts) == [False, True, True]


async def test_facts_wait_while_the_disk_is_full(
    holder: Holder, owner: Callable[[str], Awaitable[None]]
) -> None:
    facts = [seen(), seen()]
    kept = await holder.hold(*facts)
    full = facts[1].facts[0].event.event_id
    await owner(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;"
        " CREATE TRIGGER full_disk BEFORE INSERT ON outbox FOR EACH ROW"
        f" WHEN (NEW.event_id = '{full}') EXECUTE FUNCTION full_disk()"
    )
    try:
        with pytest.raises(DBAPIError, match="full"):
            await holder.worker._commit()
    finally:
        await owner("DROP TRIGGER full_disk ON outbox; DROP FUNCTION full_disk()")
    assert kept.facts == facts
    await holder.worker._commit()
    assert await holder.told(facts) == [True, True]


async def test_what_has_gathered_is_written_in_portions(holder: Holder) -> None:
    facts = [[seen() for _ in range(60)] for _ in range(3)]
    for of_one in facts:
        await holder.hold(*of_one)
    await holder.worker._commit()
    ids = [fact.result.frame_id for of_one in facts for fact in of_one]
    async with holder.db.begin(SYSTEM) as tx:
        wrote: Any = literal_column("xmin::text")
        query = select(func.count()).where(frames.c.frame_id.in_(ids)).group_by(wrote)
        assert list((await tx.execute(query)).scalars()) == [60, 60, 60]


async def test_a_portion_that_takes_too_long_is_tried_again_as_smaller_ones(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [seen(), seen()]
    first, second = [await holder.hold(fact) for fact in facts]
    monkeypatch.setattr(worker_module, "PORTION_FACTS", 2)
    holder.worker._portion_facts = 2
    async with holder.db.begin(SYSTEM) as tx:
        locked = storage.streams.c.camera_id == second.watch.stream.camera_id
        await tx.execute(select(storage.streams).where(locked).with_for_update())
        with monkeypatch.context() as patched:
            patched.setattr(worker_module, "STATEMENT_SECONDS", 0.5)
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await holder.worker._commit()
        assert (first.sent, second.facts) == (None, [facts[1]])
    await holder.worker._commit()
    assert await holder.told(facts) == [True, True]


async def alone(tx: Tx) -> None:
    """Nobody else's streams count, whatever the service beside this test holds."""
    await tx.execute(delete(storage.streams))
    await tx.execute(delete(storage.workers))


async def test_what_another_held_is_taken_only_by_who_is_steady(db: Database) -> None:
    over, lost, free = timedelta(seconds=-1), [new_id(), new_id()], [new_id(), new_id()]
    with pytest.raises(Undone):
        async with db.begin(SYSTEM) as tx:
            await alone(tx)
            for camera_id in lost:
                await leased(tx, camera_id, "killed", over)
            for camera_id in free:
                await leased(tx, camera_id, None, over)
            held = []
            for worker, steady in (("back", False), ("back", False), ("steady", True)):
                holding = await storage.hold(tx, worker, leaving=(), steady=steady)
                held.append({stream.camera_id for stream in holding.streams})
            raise Undone
    assert held == [set(free), set(free), set(lost)]


async def test_who_held_streams_before_an_outage_holds_them_after_it(db: Database) -> None:
    mine, theirs = new_id(), new_id()
    with pytest.raises(Undone):
        async with db.begin(SYSTEM) as tx:
            await alone(tx)
            for camera_id, worker in ((mine, "first back"), (theirs, "second back")):
                await leased(tx, camera_id, worker, timedelta(seconds=-30))
            held = []
            for worker in ("first back", "second back"):
                holding = await storage.hold(tx, worker, leaving=(), steady=False)
                held.append([(stream.camera_id, stream.generation) for stream in holding.streams])
            raise Undone
    assert held == [[(mine, 0)], [(theirs, 0)]]


async def test_a_worker_is_steady_once_it_held_for_a_lease_without_a_break(
    holder: Holder,
) -> None:
    worker, lease = holder.worker, storage.LEASE.total_seconds()
    assert not worker.is_steady
    worker._steady_since -= lease
    assert worker.is_steady
    # Where the database is not.
    away = Database(
        "postgresql://nobody@127.0.0.1:1/x", service="test", keyring=NOTHING, clock=system_clock
    )
    worker._db = away
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        holding = group.create_task(worker._keep_holding(group))
        while worker.is_steady:
            await asyncio.sleep(0.05)
        holding.cancel()
    await away.close()


async def test_a_stream_moves_with_its_camera_and_no_late_event_moves_it_back(
    holder: Holder,
) -> None:
    kept = await holder.hold(seen())
    stream = kept.watch.stream
    async with holder.db.begin(SYSTEM) as tx:
        for version, region in ((3, "KZ-79"), (2, REGION), (3, "KZ-79")):
            event = camera_events.CameraChanged(
                camera_id=str(stream.camera_id), region=region, version=version
            )
            await on_changed(tx, event, NOTHING)
        moved = await storage.stream_of(tx, stream.camera_id)
    assert moved is not None
    assert (moved.region, moved.worker) == ("KZ-79", "")
    assert moved.generation == stream.generation + 1
    # Who held it has nothing more to say of it.
    await holder.worker._commit()
    assert stream.camera_id not in holder.worker._assignments


async def test_a_stream_is_put_anew_where_its_camera_stands_elsewhere(holder: Holder) -> None:
    camera = Camera(new_id(), REGION, 1, "SN-1", b"k" * 32, False)
    holder.cameras.append(camera.camera_id)
    cameras = Cameras(holder.db, NOTHING, system_clock)
    desk = StreamsDesk(holder.db, cameras)
    put = []
    for version, region in ((1, REGION), (1, REGION), (2, "KZ-79")):
        async with holder.db.begin(SYSTEM) as tx:
            told = replace(camera, version=version, region=region)
            await cache_camera(tx, told, system_clock())
        put.append(await desk.put(camera.camera_id, ADDRESS, frames_per_second=2.0, caller=CALLER))
    assert [stream.region for stream in put] == [REGION, REGION, "KZ-79"]
    assert put[0].put_at == put[1].put_at < put[2].put_at


async def test_last_facts_wait_for_the_store_of_evidence_and_the_stream_for_them(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FINISH_AGAIN_SECONDS", 0.05)
    folder = tmp_path / "store"
    kept = await holder.hold(seen())
    kept.session = opened_session(kept, EvidenceStore(holder.db, away_at(folder), system_clock))
    kept.leaving = True
    finishing = asyncio.ensure_future(holder.worker._finish(kept))
    # Its store is away, and steps are written all the same.
    while kept.session.unsealed == 0:
        await asyncio.sleep(0.01)
    await holder.worker._commit_and_give_back()
    assert not finishing.done()
    assert (await holder.stream_of(kept)).worker == holder.worker.name
    # A step is on its way when the store is back: it is written first, then what was waited for.
    kept.watch.keep([seen()])
    assert kept.batch() is not None
    folder.unlink()
    folder.mkdir()
    async with asyncio.timeout(60):
        await finishing
    [last] = kept.watch.pending
    await holder.worker._commit_and_give_back()
    assert (await holder.stream_of(kept)).worker == holder.worker.name
    await holder.worker._commit_and_give_back()
    assert await holder.told([last]) == [True]
    stream = await holder.stream_of(kept)
    assert stream.worker != holder.worker.name
    assert kept.watch.stream.camera_id not in holder.worker._assignments


async def test_a_store_that_stays_away_does_not_keep_a_stream_for_ever(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FINISH_SECONDS", 0.0)
    kept = await holder.hold()
    evidence_store = EvidenceStore(holder.db, away_at(tmp_path / "store"), system_clock)
    kept.session, kept.leaving = opened_session(kept, evidence_store), True
    await holder.worker._finish(kept)
    await holder.worker._commit_and_give_back()
    assert kept.watch.stream.camera_id not in holder.worker._assignments


def away_at(folder: Path) -> BlobStore:
    """A store of evidence whose folder is a file, until somebody makes it a folder again."""
    objects = BlobStore(folder.as_uri())
    folder.rmdir()
    folder.write_bytes(b"")
    return objects


def opened_session(kept: StreamAssignment, evidence_store: EvidenceStore) -> VideoSession:
    """One that has seen a plate which is still there."""
    stream = kept.watch.stream
    camera = Camera(stream.camera_id, REGION, 1, "SN-1", b"k" * 32, False)
    subject = Subject(
        stream.session_id,
        camera,
        CALLER,
        CALLER.scope,
        stream.session_id.bytes,
        stream.put_at,
    )
    told: dict[str, Any] = {name.name: None for name in fields(Plate)}
    told.update(
        text="725BDE07",
        confidence=0.9,
        character_confidences=(0.9,) * 8,
        box=Box(10, 10, 40, 10),
        country="KZ",
        plate_type="",
        legible=True,
    )
    made = VideoSession(subject, SessionParts(NOTHING, evidence_store))
    made._tracks.add([Plate(**told)], at=0.0)
    made._best[1] = _Sighting(0.0, b"picture", "models")
    return made


async def test_nothing_is_held_by_a_clock_that_is_not_ours(holder: Holder) -> None:
    known = holder.worker.now()
    apart = Database(
        holder.db.engine.url.render_as_string(hide_password=False),
        service="test",
        keyring=holder.db.keyring,
        clock=lambda: system_clock() - timedelta(hours=1),
    )
    holder.worker._db = apart
    async with asyncio.TaskGroup() as group:
        with pytest.raises(ClockUnsure):
            await holder.worker._hold(group)
    await apart.close()
    assert holder.worker.now() == pytest.approx(known, abs=5)
    async with holder.db.begin(SYSTEM) as tx:
        mine = storage.workers.c.worker == holder.worker.name
        assert await tx.scalar(select(func.count()).select_from(storage.workers).where(mine)) == 0
