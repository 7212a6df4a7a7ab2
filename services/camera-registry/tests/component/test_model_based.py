"""The register does what its model says, whatever is done to it in whatever order.

Damping by flapping is left out: before a report, time passes where one more change might be damped.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from camera_registry.model.description import Description
from camera_registry.model.imports import Batch, Row
from camera_registry.model.merging import Seen
from camera_registry.model.status import CameraStatus
from camera_registry.storage.search import Filters
from camera_registry.usecases.hubs import Hubs
from camera_registry.usecases.imports import Imports
from camera_registry.usecases.merging import Merging
from camera_registry.usecases.tally import Tally
from chassis.clock import new_id
from chassis.refusals import FieldError, Refusal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .conftest import Scratch, opened
from .own_register import ADMINISTRATOR, REGIONS, WORKING, OwnRegister
from .register_model import CLOCK_OFF, HOUR, Hub, ImportedRow, Look, Model, Refused
from .test_counts import _flat

# Every camera is read after so many steps, and at the end.
READ_EVERY = 5
CLOCK_OFF_MILLISECONDS = 2001
LATITUDES = {"KZ-75": (43.24, 43.25), "KZ-71": (51.17, 51.16)}
LONGITUDES = {"KZ-75": 76.95, "KZ-71": 71.45}

looks = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("Abai", "Dostyk")),
        "region": st.sampled_from(REGIONS),
        "spot": st.integers(0, 1),
        "kind": st.sampled_from((pb.CAMERA_KIND_OVERVIEW, pb.CAMERA_KIND_ANPR)),
        "functions": st.sampled_from(
            (
                (),
                (pb.AI_FUNCTION_PLATE,),
                (pb.AI_FUNCTION_CROWD,),
                (pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD),
            )
        ),
        "connected": st.booleans(),
        "serial": st.integers(1, 6).map("SN-{}".format),
        "category": st.sampled_from((0, pb.SITE_CATEGORY_STRATEGIC)),
        "papers": st.sampled_from((("V-1",), ("V-2",), ("V-1", "V-2"))),
        "has_hub": st.sampled_from((True, True, True, False)),
    }
)
which = st.integers(0, 11)
regions = st.sampled_from(REGIONS)
# What is imported: a camera of the register or a new one (None), with which fields of it anew, by
# its id or not, and what is wrong with the row.
rows = st.fixed_dictionaries(
    {
        "camera": st.none() | which,
        "is_same": st.booleans(),
        "is_named": st.booleans(),
        "wrong": st.sampled_from(("", "", "", "", "broken", "stale")),
        "look": looks,
    }
)
conditions = st.lists(st.integers(0, CLOCK_OFF), min_size=1, max_size=4)
seconds = st.sampled_from((1, 29, 31, 59, 89, 91, 600, 3600, 7200))


def step(name: str, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(given))


steps = st.one_of(
    step("register", look=looks),
    step("take", rows=st.lists(rows, min_size=1, max_size=4)),
    step("report", region=regions, said=conditions),
    step("change", camera=which, look=looks),
    step("report", region=regions, said=conditions),
    step("merge", kept=which, duplicate=which),
    step("retire", camera=which),
    step("pass_time", by=seconds),
    step("judge", by=seconds),
    step("judge", by=seconds),
    step("fold"),
    step("revoke", region=regions),
)


def look_of(description: Description) -> Look:
    return Look(
        description.name,
        description.place.region,
        description.place.latitude,
        description.kind.value,
        frozenset(each.value for each in description.functions),
        description.connected,
        description.serial,
        description.site_category.value if description.site_category else "",
        frozenset(paper.number for paper in description.verifications),
        description.hub_id,
    )


@contextmanager
def refused_as_modelled() -> Iterator[list[str]]:
    """Take down what is refused within."""
    codes: list[str] = []
    try:
        yield codes
    except (Refusal, Refused) as refusal:
        codes.append(str(refusal) if isinstance(refusal, Refused) else refusal.code)


class Both:
    """A register and its model, to which the same is done."""

    def __init__(self, own: OwnRegister) -> None:
        self.own = own
        self.model = Model(hubs={hub.hub_id: Hub(region) for region, hub in own.hubs.items()})

    async def do(self, name: str, given: dict[str, Any]) -> None:
        await getattr(self, name)(**given)

    async def register(self, look: dict[str, Any]) -> None:
        camera_id, described = new_id(), self._described(look)
        with refused_as_modelled() as wanted:
            self.model.register(camera_id, look_of(described))
        with refused_as_modelled() as found:
            await self.own.register.register(
                camera_id, described, content=b"", caller=ADMINISTRATOR
            )
        assert found == wanted

    async def change(self, camera: int, look: dict[str, Any]) -> None:
        if (camera_id := self._camera(camera)) is None:
            return
        described, version = self._described(look), len(self.model.cameras[camera_id].looks)
        with refused_as_modelled() as wanted:
            self.model.change(camera_id, look_of(described))
        with refused_as_modelled() as found:
            await self.own.register.change(
                camera_id, described, from_version=version, caller=ADMINISTRATOR
            )
        assert found == wanted

    async def merge(self, kept: int, duplicate: int) -> None:
        kept_id, duplicate_id = self._camera(kept), self._camera(duplicate)
        if kept_id is None or duplicate_id is None or kept_id == duplicate_id:
            return
        seen = Seen(*(len(self.model.cameras[each].looks) for each in (kept_id, duplicate_id)))
        with refused_as_modelled() as wanted:
            self.model.merge(kept_id, duplicate_id)
        with refused_as_modelled() as found:
            await Merging(self.own.db, self.own.register).merge(
                kept_id, duplicate_id, seen=seen, reason="", caller=ADMINISTRATOR
            )
        assert found == wanted

    async def retire(self, camera: int) -> None:
        if (camera_id := self._camera(camera)) is not None:
            self.model.retire(camera_id)
            await self.own.register.retire(camera_id, reason="", caller=ADMINISTRATOR)

    async def take(self, rows: list[dict[str, Any]]) -> None:
        """Import; a row without a hub, which keeps its camera's, comes alone."""
        given, batch = [], []
        for number, row in enumerate(rows, 1):
            look, known = row["look"], None
            if row["camera"] is not None:
                known = self._camera(row["camera"])
            described = self._described(look | {"has_hub": look["has_hub"] or len(rows) > 1})
            if known is not None and row["is_same"]:
                described = (await self.own.known(known)).description
            is_new = known is None
            is_broken, is_stale = row["wrong"] == "broken", row["wrong"] == "stale"
            is_named = row["is_named"] or is_new
            # One that is sought by its serial number may be another than the one it was made from.
            camera_id = (known if is_named else None) or new_id()
            given.append(ImportedRow(camera_id, is_named, is_broken, is_stale, look_of(described)))
            errors = (FieldError("description.name", "BAD_REQUEST", ""),) * is_broken
            batch.append(
                Row(
                    number,
                    camera_id if is_named else None,
                    described,
                    errors,
                    version=1000 * is_stale,
                )
            )
        outcome = await Imports(self.own.db).take(
            Batch(new_id(), 1, tuple(batch), b"rows"), ADMINISTRATOR
        )
        refused = sorted({finding.row for finding in outcome.refused})
        found = (outcome.added, outcome.changed, outcome.unchanged, refused)
        # A camera that is sought by a serial number that none has is added under another id.
        await self._name_added(given)
        assert found == self.model.take(given)

    async def _name_added(self, rows: list[ImportedRow]) -> None:
        found = {
            camera.description.serial: camera.camera_id
            for camera in await self._listed(Filters())
            if camera.camera_id not in self.model.cameras
        }
        for place, row in enumerate(rows):
            if not row.is_named and row.look.serial in found:
                known = found[row.look.serial]
                rows[place] = ImportedRow(known, False, row.is_broken, row.is_stale, row.look)

    async def report(self, region: str, said: list[int]) -> None:
        """A hub reports on cameras of every hub, in service or not, and leaves some out."""
        hub = self.own.hubs[region]
        if self.model.is_any_damped(hub.hub_id, self.own.now):
            self.own.now += HOUR
        if self.model.has_unheard(hub.hub_id):
            # For a minute a hub may not know of a camera yet.
            self.own.now += HOUR / 30
        told = dict(zip(self.model.cameras, said * len(self.model.cameras), strict=False))
        told = {camera_id: each for camera_id, each in told.items() if each}
        off = {each: CLOCK_OFF_MILLISECONDS for each in told if told[each] == CLOCK_OFF}
        sent = {camera_id: WORKING if camera_id in off else told[camera_id] for camera_id in told}
        await self.own.report(hub, sent, clock_offsets=off)
        self.model.report(hub.hub_id, told, self.own.now)

    async def pass_time(self, by: int) -> None:
        self.own.now += by * (HOUR / 3600)

    async def judge(self, by: int) -> None:
        """Time passes, and then somebody looks for reports."""
        await self.pass_time(by)
        await self.own.judge(self.own.start)
        self.model.judge(self.own.now)

    async def fold(self) -> None:
        tally = Tally(self.own.db)
        async with tally.alone() as lease:
            await tally.fold(lease)

    async def revoke(self, region: str) -> None:
        """A hub is revoked; a new one takes its place, to which its cameras do not belong."""
        gone = self.own.hubs[region].hub_id
        await Hubs(self.own.db).revoke(gone, reason="", caller=ADMINISTRATOR)
        self.own.hubs[region] = await self.own.hub(region)
        await self.own.judge(None)
        assert self.own.reports.key_of(gone) is None
        self.model.hubs[self.own.hubs[region].hub_id] = Hub(region)
        self.model.revoke(gone, self.own.now)

    async def check_counts(self) -> None:
        assert _flat(await self.own.statistics()) == self.model.counts(self.own.now)

    async def check_cameras(self) -> None:
        of_status: dict[CameraStatus, set[UUID]] = {status: set() for status in CameraStatus}
        for camera_id, entry in self.model.cameras.items():
            camera = await self.own.known(camera_id)
            status, reason, as_of = self.model.read(entry, self.own.now)
            of_status[status].add(camera_id)
            assert (camera.status, str(camera.status_reason or "")) == (status, reason)
            assert as_of is None or camera.status_as_of == as_of
            assert (camera.version, camera.merged_into) == (len(entry.looks), entry.merged_into)
            assert look_of(camera.description) == entry.look
            versions = await self.own.register.versions(
                camera_id, before=None, size=1000, caller=ADMINISTRATOR
            )
            kept = {version.number: look_of(version.description) for version, _ in versions}
            assert kept == dict(enumerate(entry.looks, 1))
        for status, wanted in of_status.items():
            filters = Filters(status=status, with_retired=status is CameraStatus.RETIRED)
            assert {camera.camera_id for camera in await self._listed(filters)} == wanted

    async def _listed(self, filters: Filters) -> list[Any]:
        return await self.own.register.page(filters, after=None, size=1000, caller=ADMINISTRATOR)

    def _camera(self, number: int) -> UUID | None:
        """One of the cameras that were ever registered, None if there is none."""
        ids = list(self.model.cameras)
        return ids[number % len(ids)] if ids else None

    def _described(self, look: dict[str, Any]) -> Description:
        region = look["region"]
        papers = self.own.describe().verifications[0]
        return self.own.description(
            name=look["name"],
            place=common_pb2.Place(
                latitude=LATITUDES[region][look["spot"]],
                longitude=LONGITUDES[region],
                region=region,
            ),
            kind=look["kind"],
            functions=look["functions"],
            connected=look["connected"],
            serial=look["serial"],
            site="Station",
            site_category=look["category"],
            verifications=[
                pb.Verification(
                    number=number, valid_from=papers.valid_from, valid_until=papers.valid_until
                )
                for number in look["papers"]
            ],
            **({} if look["has_hub"] else {"hub_id": ""}),
        )


@contextmanager
def copied(scratch: Scratch) -> Iterator[str]:
    """The address of a copy of a database, for the service's role."""
    name = f"copy_{uuid4().hex}"
    source = urlsplit(scratch.provisioner).path[1:]

    async def execute(statement: str) -> None:
        address = urlunsplit(urlsplit(scratch.provisioner)._replace(path="/postgres"))
        connection = await asyncpg.connect(address)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name} TEMPLATE {source}"))
    try:
        yield urlunsplit(urlsplit(scratch.work)._replace(path=f"/{name}"))
    finally:
        asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def follow(address: str, describe: Any, keys: Path, done: list[tuple[str, Any]]) -> None:
    async with opened(address, describe, keys) as own:
        both = Both(own)
        for number, (name, wanted) in enumerate(done, 1):
            await both.do(name, wanted)
            await both.check_counts()
            if number % READ_EVERY == 0 or number == len(done):
                await both.check_cameras()


@pytest.mark.parametrize(
    ("examples", "longest"), [(15, 30), pytest.param(400, 60, marks=pytest.mark.nightly)]
)
def test_the_register_does_what_its_model_does(
    scratch: Scratch, describe: Any, tmp_path: Path, examples: int, longest: int
) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(done=st.lists(steps, min_size=longest - 10, max_size=longest))
    def example(done: list[tuple[str, Any]]) -> None:
        with copied(scratch) as address:
            asyncio.run(follow(address, describe, tmp_path, done))

    example()
