"""The canary: a face that matches nobody passes a thousand times, and nothing is left of it.

Its template is searched byte by byte in the database's files and write-ahead log, in JetStream's
files, the evidence, logs and spans, and in the gateway's memory. That the search can find is shown
with templates that do lie there: one put into a table, one in force in the gateway's gallery.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from chassis.clock import new_id
from chassis.transaction import SYSTEM
from inference_gateway.frames.model import open_picture
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.model import Basis, Entry
from tartip.inference.v1 import functions_pb2, functions_pb2_grpc, inference_pb2
from tartip_scenes.faces import draw_face
from tartip_testing.mesh import RunningTestMesh

from .callers import As
from .peers import CALL_SECONDS, SERVICE, Device, Register, credentials
from .processes import Process
from .traces import Template, in_files, in_memory, resident_bytes
from .watchlist_officers import beside, jpeg

PASSES = 1000
PASSES_AFTER = 100
AT_ONCE = 4
REGION = "KZ-59"


def someone(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A template of nobody: as long as templates are, and near to no face."""
    drawn = np.random.default_rng(seed).standard_normal(128)
    return (drawn / np.linalg.norm(drawn) * 1.35).astype(np.float32)


def passing() -> bytes:
    """A small picture, so that the test is short; its face is large enough to be searched for."""
    face = cv2.resize(draw_face(4).picture, (128, 128), interpolation=cv2.INTER_AREA)
    canvas = np.full((128, 320, 3), 128, np.uint8)
    canvas[:, 96:224] = face
    return jpeg(canvas)


@pytest.fixture
def watched(engines: RunningTestMesh, service: Process, register: tuple[Register, str]) -> Device:
    """A camera that searches for faces and does nothing else."""
    made = Device(region=REGION)
    register[0].add(made)
    secured = credentials(engines, "service", "operator-gateway")
    with grpc.secure_channel(engines.address(SERVICE), secured) as channel:
        stub = functions_pb2_grpc.FunctionsStub(channel)
        faces = functions_pb2.CameraFunctions(faces=functions_pb2.FaceFunction())
        stub.ConfigureCamera(
            functions_pb2.ConfigureCameraRequest(camera_id=made.camera_id, functions=faces),
            timeout=CALL_SECONDS,
            metadata=(("authorization", f"Bearer {engines.token('cameras-1')}"),),
        )
    return made


@pytest.fixture
def in_force(engines: RunningTestMesh, service: Process) -> Iterator[Template]:
    """Somebody is searched for in the region, so that passing faces are compared."""
    entry_id, template = new_id(), someone(1)

    async def put_in_force() -> None:
        now = datetime.now(UTC)
        entry = Entry(
            entry_id,
            REGION,
            Basis.COURT_ORDER,
            "C-1",
            "the canary's test",
            "watchlist-1",
            now,
            now + timedelta(days=1),
        )
        async with beside(engines) as parts, parts.db.begin(SYSTEM) as tx:
            await storage.add_entry(tx, entry, template.tobytes(), story="")
            await storage.put_in_force(tx, entry.approve("watchlist-2", now))

    async def withdraw() -> None:
        async with beside(engines) as parts, parts.db.begin(SYSTEM) as tx:
            entry = await storage.entry(tx, entry_id)
            closing = storage.Closing("watchlist-1", datetime.now(UTC))
            await storage.close(tx, entry.withdraw(), closing)

    asyncio.run(put_in_force())
    time.sleep(2.5)  # the gateway looks for changes every second
    yield Template("in force", template)
    asyncio.run(withdraw())


def template_of(engines: RunningTestMesh, picture: bytes) -> Template:
    """As the gateway gets it: by the same models, which answer the same each time."""

    async def ask() -> Template:
        async with beside(engines) as parts:
            shown = open_picture(picture)
            [face] = await parts.watch._detector.detect(shown)
            first, again = [await parts.watch._detector.templates(shown, [face]) for _ in range(2)]
            assert first.tobytes() == again.tobytes()
            return Template("passing", first[0])

    return asyncio.run(ask())


def pass_by(
    edge: As, device: Device, picture: bytes, times: int
) -> list[inference_pb2.FrameResult]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda _: edge.ingest(device, picture), range(times)))


@pytest.mark.nightly
def test_a_face_that_matches_nobody_leaves_nothing(
    triton: Process,
    service: Process,
    engines: RunningTestMesh,
    edge: As,
    watched: Device,
    in_force: Template,
    rows: Callable[[str], list[Any]],
) -> None:
    picture = passing()
    canary, planted = template_of(engines, picture), Template("planted", someone(2))
    answers = pass_by(edge, watched, picture, PASSES)
    verdicts = {face.verdict for answer in answers for face in answer.faces}
    assert verdicts == {inference_pb2.FACE_VERDICT_NO_MATCH}
    assert all(len(answer.faces) == 1 for answer in answers)
    empty = np.full((128, 320, 3), 128, np.uint8)
    assert not any(one.faces for one in pass_by(edge, watched, jpeg(empty), PASSES_AFTER))

    assert service.child is not None
    pid = service.child.pid
    assert resident_bytes(pid) > 50_000_000
    assert in_memory(pid, in_force), "the search finds nothing in memory, not even what is there"
    assert in_memory(pid, canary) == []

    rows("CREATE TABLE planted (template bytea)")
    rows(f"INSERT INTO planted VALUES ('\\x{planted.forms['float32'].hex()}')")
    rows("CHECKPOINT")
    database = [engines.home.postgres.resolve()]
    places = everywhere(engines, service, triton)
    found = {trace.place for trace in in_files(database, planted)}
    rows("DROP TABLE planted")
    assert any("/pg_wal/" in place for place in found), found
    assert any("/base/" in place for place in found), found
    assert in_files(places, canary) == []
    assert in_files(database, in_force) == [], "a template in force lies there unsealed"


def everywhere(engines: RunningTestMesh, *processes: Process) -> list[Path]:
    """Database and its log, JetStream, evidence, logs, spans; and the logs of this test's parts."""
    home = engines.home
    assert any(home.postgres.rglob("pg_wal/*")) and any(home.nats.rglob("*.blk"))
    # As root, PostgreSQL's folder is a link to one that its own user can reach.
    return [home.path, home.postgres.resolve(), *(process.log.parent for process in processes)]
