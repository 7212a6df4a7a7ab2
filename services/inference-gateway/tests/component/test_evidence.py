"""Evidence: sealed where it lies, read by those who may and say why, audited first."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from chassis.db import SYSTEM, Database
from chassis.sealing import Keyring
from inference_gateway import storage
from inference_gateway.evidence import Vault
from inference_gateway.objects import SealedObjects
from inference_gateway.storage import EvidencePlace
from tartip_cli.testing import RunningTestMesh

from .conftest import As, Device, Process, refused


@pytest.fixture
def reports(as_: Callable[..., As]) -> As:
    return as_("citizen-reports")


def content(size: int = 1_200_000) -> bytes:
    """Different each time."""
    return os.urandom(size)


def test_frame_evidence_is_sealed_on_disk_and_reads_back_as_it_came(
    triton: Process,
    engines: RunningTestMesh,
    edge: As,
    as_: Callable[..., As],
    device: Device,
    scene: bytes,
    rows: Callable[[str], list[Any]],
) -> None:
    result = edge.ingest(device, scene)
    assert result.evidence_sha256 == hashlib.sha256(scene).hexdigest()
    files = [path for path in engines.home.evidence.rglob("*") if path.is_file()]
    assert any(result.evidence_sha256 in path.name for path in files)
    middle = scene[len(scene) // 2 :][:64]
    assert not [path for path in files if middle in path.read_bytes()]
    inspector = as_("operator-gateway", operator="inspector-almaty")
    assert inspector.read(result.evidence_sha256, purpose="review V-1") == ("image/jpeg", scene)
    [entry] = [
        json.loads(row["canonical"])
        for row in rows("SELECT canonical FROM audit")
        if json.loads(row["canonical"])["action"] == "read_evidence"
        and result.evidence_sha256 in json.loads(row["canonical"])["object"]
    ]
    assert entry["actor"] == "operator/inspector-almaty"
    assert entry["purpose"] == "review V-1"
    assert entry["region"] == "KZ-75"


def test_evidence_of_another_region_is_as_good_as_none(reports: As, as_: Callable[..., As]) -> None:
    sha256 = reports.store(content(), region="KZ-75")
    with refused("EVIDENCE_NOT_FOUND"):
        as_("operator-gateway", operator="inspector-astana").read(sha256)
    with refused("EVIDENCE_NOT_FOUND"):
        as_("operator-gateway", operator="inspector-almaty").read("0" * 64)
    assert as_("operator-gateway", operator="auditor-1").read(sha256)
    assert as_("violations").read(sha256)


def test_reading_needs_a_purpose_and_a_role(reports: As, as_: Callable[..., As]) -> None:
    sha256 = reports.store(content())
    with refused("PURPOSE_REQUIRED"):
        as_("operator-gateway", operator="inspector-almaty").read(sha256, purpose=" ")
    for stranger in (
        as_("operator-gateway", operator="finance-1"),
        as_("fines"),
        as_("edge-1", kind="device"),
        as_("kaspi", kind="partner"),
    ):
        with refused("NOT_ALLOWED"):
            stranger.read(sha256)


def test_what_is_for_one_role_is_read_by_that_role_alone(
    reports: As, as_: Callable[..., As]
) -> None:
    complaint = content()
    sha256 = reports.store(complaint, role="internal_security")
    for other in ("inspector-almaty", "supervisor-almaty", "dispatcher-almaty", "auditor-1"):
        with refused("EVIDENCE_NOT_FOUND"):
            as_("operator-gateway", operator=other).read(sha256)
    with refused("EVIDENCE_NOT_FOUND"):
        as_("violations").read(sha256)
    assert as_("operator-gateway", operator="security-1").read(sha256)[1] == complaint
    assert reports.read(sha256)[1] == complaint


def test_storing_the_same_again_changes_nothing(
    reports: As, rows: Callable[[str], list[Any]]
) -> None:
    picture = content()
    sha256 = reports.store(picture)
    assert reports.store(picture) == sha256
    assert len(rows(f"SELECT 1 FROM evidence WHERE sha256 = '{sha256}'")) == 1
    assert reports.read(sha256)[1] == picture


def test_what_does_not_match_its_digest_or_is_too_large_is_refused(reports: As) -> None:
    with refused("EVIDENCE_DIGEST_MISMATCH"):
        reports.store(content(), sha256="0" * 64)
    with refused("EVIDENCE_TOO_LARGE"):
        reports.store(bytes(21 * 1024 * 1024))
    with refused("BAD_REQUEST") as told:
        reports.store(b"x", sha256="xyz", region="Almaty")
    assert [error.field for error in told[0].fields] == ["header.sha256", "header.region"]


def test_only_citizen_reports_stores(as_: Callable[..., As]) -> None:
    for stranger in (as_("edge-1", kind="device"), as_("violations"), as_("tartip-cli")):
        with refused("NOT_ALLOWED"):
            stranger.store(b"x")


def test_evidence_changed_where_it_lies_is_not_given_out(
    engines: RunningTestMesh, reports: As
) -> None:
    sha256 = reports.store(content())
    [path] = [path for path in engines.home.evidence.rglob(f"{sha256}.*")]
    sealed = bytearray(path.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    path.write_bytes(sealed)
    with refused("INTERNAL"):
        reports.read(sha256)


def test_a_young_object_is_nobodys_orphan_however_far_the_clock_is_moved(
    engines: RunningTestMesh, service: Process
) -> None:
    """The store dates objects by its own clock: in 400 days they are as young as today."""

    async def sweep() -> None:
        environment = engines.environment("inference-gateway")
        keyring = Keyring(engines.keys.folder / "inference-gateway")
        db = Database(
            environment["TARTIP_DATABASE_URL"], service="test", keyring=keyring, clock=system_clock
        )
        objects = SealedObjects(environment["TARTIP_EVIDENCE_URL"])
        vault = Vault(db, objects, lambda: system_clock() + timedelta(days=400))
        young = await vault.seal(content(1000), "image/jpeg")
        for _ in range(2):
            assert await vault.sweep(suspected_seconds=0.0) == 0
        assert (engines.home.evidence / young.object_path).exists()
        await db.close()

    asyncio.run(sweep())


def test_objects_that_a_crash_left_behind_are_swept_and_evidence_is_not(
    engines: RunningTestMesh, service: Process, reports: As
) -> None:
    picture = content()
    sha256 = reports.store(picture)

    async def sweep() -> None:
        environment = engines.environment("inference-gateway")
        db = Database(
            environment["TARTIP_DATABASE_URL"],
            service="test",
            keyring=Keyring(engines.keys.folder / "inference-gateway"),
            clock=system_clock,
        )
        objects = SealedObjects(environment["TARTIP_EVIDENCE_URL"])
        vault = Vault(db, objects, system_clock)
        orphan = await vault.seal(content(1000), "image/jpeg")
        # Of a fact that waited while the database was away, for longer than an orphan's age.
        waiting = await vault.seal(content(1000), "image/jpeg")
        assert await vault.sweep() == 0
        # The database is back, and the sweeper comes before whoever holds the fact.
        assert await vault.sweep(orphan_age=timedelta(0)) == 0
        async with db.begin(SYSTEM) as tx:
            await storage.keep_evidence(tx, waiting, EvidencePlace("KZ-75"))
        assert await vault.sweep(orphan_age=timedelta(0)) == 0
        assert await vault.sweep(orphan_age=timedelta(0), suspected_seconds=0.0) >= 1
        left = [(engines.home.evidence / kept.object_path).exists() for kept in (orphan, waiting)]
        assert left == [False, True]
        assert not {orphan.object_path, waiting.object_path} & set(vault._suspects)
        await db.close()

    asyncio.run(sweep())
    assert reports.read(sha256)[1] == picture
