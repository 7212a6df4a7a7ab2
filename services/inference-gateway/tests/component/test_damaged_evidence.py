"""Stored evidence that is not what was sealed is refused, and named until it is repaired."""

import asyncio
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from chassis.transaction import SYSTEM
from host.leases import hold
from host.telemetry.exposition import own_metrics
from inference_gateway import metrics
from inference_gateway.evidence.checks import EvidenceCheck
from inference_gateway.evidence.storage import BlobStore, EvidenceAway
from inference_gateway.evidence.usecases import EvidenceStore
from opentelemetry.sdk.metrics import MeterProvider
from tartip.inference.v1 import inference_pb2
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .peers import CALL_SECONDS
from .test_evidence import audited, content, vault_beside
from .test_evidence import reports as reports

AT_ONCE = timedelta(microseconds=1)


def flip(path: Path) -> None:
    sealed = bytearray(path.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    path.write_bytes(sealed)


def make_unreadable(path: Path) -> None:
    """A socket cannot be opened: there is an error, as of a bad sector, and not that of no file."""
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "changed": flip,
    "missing": Path.unlink,
    "unreadable": make_unreadable,
}


def object_of(engines: RunningTestMesh, sha256: str) -> Path:
    [path] = engines.home.evidence.rglob(f"{sha256}.*")
    return path


def named(as_: Callable[..., As], *, look_again: bool = False) -> dict[str, Any]:
    """What the command line is told to be damaged, by hash."""
    request = inference_pb2.ListDamagedEvidenceRequest(look_again=look_again)
    request.page.size = 200
    answer = as_("tartip-cli").stub.ListDamagedEvidence(request, timeout=CALL_SECONDS)
    return {one.sha256: one for one in answer.damaged}


def check_all(engines: RunningTestMesh, objects: str = "") -> None:
    """Read all evidence now, in the store at the URL `objects` if one is given."""

    async def check() -> None:
        async with vault_beside(engines) as (store, db), hold(db, "check of a test") as lease:
            if objects:
                store = EvidenceStore(db, BlobStore(objects), db.clock)
            check = EvidenceCheck(db, store, AT_ONCE, 10**12, pause_seconds=0.01)
            for _ in range(3):  # the rest of a round, one that just began, and then all of it
                while not await check.check(lease):
                    pass

    asyncio.run(check())


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_reader_is_refused_by_name_and_the_damage_is_known_from_then_on(
    damage: str,
    engines: RunningTestMesh,
    reports: As,
    as_: Callable[..., As],
    rows: Callable[[str], list[Any]],
) -> None:
    sha256 = reports.store(content())
    DAMAGE[damage](object_of(engines, sha256))
    for _ in range(2):
        with refused("EVIDENCE_DAMAGED") as told:
            reports.read(sha256)
        assert told[0].facts == {"damage": damage}
    found = named(as_)[sha256]
    assert inference_pb2.EvidenceDamage.Name(found.damage) == f"EVIDENCE_DAMAGE_{damage.upper()}"
    assert sha256 in found.object_path and found.region == "KZ-75"
    assert len(audited(rows, "find_damaged_evidence", sha256)) == 1
    events = rows("SELECT aggregate FROM outbox WHERE subject = 'inference.v1.evidence_damaged'")
    assert [e["aggregate"] for e in events].count(f"damage:{found.damage_id}") == 1


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_check_finds_damage_that_nobody_read_and_sees_it_repaired(
    damage: str, engines: RunningTestMesh, reports: As, as_: Callable[..., As]
) -> None:
    sha256, sound = reports.store(content()), reports.store(content())
    path = object_of(engines, sha256)
    sealed = path.read_bytes()
    DAMAGE[damage](path)
    check_all(engines)
    assert sha256 in named(as_) and sound not in named(as_)
    assert sha256 in named(as_, look_again=True)
    path.unlink(missing_ok=True)
    path.write_bytes(sealed)
    assert sha256 not in named(as_, look_again=True)
    check_all(engines)
    assert sha256 not in named(as_)


def test_an_empty_store_is_an_outage_and_no_damage(
    engines: RunningTestMesh, reports: As, as_: Callable[..., As], tmp_path: Path
) -> None:
    """As when the disk of the evidence is not mounted."""
    sha256 = reports.store(content())
    with pytest.raises(EvidenceAway):
        check_all(engines, tmp_path.as_uri())
    assert sha256 not in named(as_)
    assert not list(tmp_path.iterdir())


def test_a_check_that_cannot_read_falls_behind(
    engines: RunningTestMesh, reports: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports.store(content())
    reader, read = own_metrics()
    gauge = MeterProvider([reader]).get_meter("test").create_gauge("behind")
    monkeypatch.setattr(metrics, "evidence_check_behind", gauge)
    with pytest.raises(EvidenceAway):
        check_all(engines, tmp_path.as_uri())
    [resource] = read()
    [point] = resource.scope_metrics[0].metrics[0].gauge.data_points
    assert point.as_double > 0


def test_only_the_command_line_is_told_what_is_damaged(as_: Callable[..., As]) -> None:
    request = inference_pb2.ListDamagedEvidenceRequest()
    for stranger in (as_("violations"), as_("kaspi", kind="partner")):
        with refused("NOT_ALLOWED"):
            stranger.stub.ListDamagedEvidence(request, timeout=CALL_SECONDS)


async def test_what_nobody_can_decrypt_does_not_hide_the_damage_behind_it(
    engines: RunningTestMesh, reports: As, as_: Callable[..., As]
) -> None:
    """Damaged objects are looked at again page by page, here one by one."""
    digests = sorted(reports.store(content()) for _ in range(2))
    sealed = {}
    for path in (object_of(engines, sha256) for sha256 in digests):
        sealed[path] = path.read_bytes()
        flip(path)
    await asyncio.to_thread(check_all, engines)
    erased, intact = sorted(sealed)
    intact.write_bytes(sealed[intact])
    async with vault_beside(engines) as (store, db):
        async with db.begin(SYSTEM) as tx:
            await tx.keys.discard(UUID(erased.name.split(".")[1]))
        after, looked_at = "", []
        while after := await store.look_again(after=after, size=1):
            looked_at.append(Path(after).name)
    assert looked_at.index(erased.name) < looked_at.index(intact.name)
    still = await asyncio.to_thread(named, as_)
    assert erased.name.split(".")[0] in still and intact.name.split(".")[0] not in still
