"""Evidence: sealed in both its forms, read by the owners of records, audited first."""

import asyncio
import contextlib
import hashlib
import io
import json
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold
from inference_gateway.evidence.storage import BlobStore, EvidencePlace, store_evidence
from inference_gateway.evidence.usecases import EvidenceStore
from PIL import Image
from tartip_testing.mesh import RunningTestMesh
from vault.keyring import Keyring

from .callers import As, refused
from .conftest import Plates
from .peers import Device
from .processes import Process


@pytest.fixture
def reports(as_: Callable[..., As]) -> As:
    return as_("citizen-reports")


def content(side: int = 640) -> bytes:
    """A picture of about a megabyte, different each time."""
    noise = np.random.default_rng().integers(0, 256, (side, side, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def photograph(**options: Any) -> tuple[bytes, bytes]:
    """As a phone takes it, and the same without what the phone wrote into it."""
    told, picture = Image.Exif(), content(160)
    told[0x010F] = "Secret Phone"
    for tag, value in options.items():
        told[int(tag.removeprefix("tag_"))] = value
    exif = told.tobytes()
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif
    return picture[:2] + segment + picture[2:], picture


def digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def audited(rows: Callable[[str], list[Any]], action: str, of: str) -> list[dict[str, Any]]:
    entries = [json.loads(row["canonical"]) for row in rows("SELECT canonical FROM audit")]
    return [one for one in entries if one["action"] == action and of in one["object"]]


def test_frame_evidence_is_sealed_on_disk_and_read_by_the_owner_of_the_record(
    triton: Process,
    engines: RunningTestMesh,
    edge: As,
    as_: Callable[..., As],
    device: Device,
    scene: bytes,
    rows: Callable[[str], list[Any]],
) -> None:
    result = edge.ingest(device, scene)
    assert result.evidence_sha256 == digest(scene)
    files = [path for path in engines.home.evidence.rglob("*") if path.is_file()]
    assert any(result.evidence_sha256 in path.name for path in files)
    middle = scene[len(scene) // 2 :][:64]
    assert not [path for path in files if middle in path.read_bytes()]
    owner = as_("violations")
    assert owner.read(result.evidence_sha256, purpose="қарау V-1") == ("image/jpeg", scene)
    [entry] = audited(rows, "read_evidence", result.evidence_sha256)
    assert (entry["actor"], entry["purpose"]) == ("service/violations", "қарау V-1")
    assert (entry["region"], entry["class"]) == ("KZ-75", "open")


def test_a_frame_with_exif_is_told_under_both_hashes_and_shown_without(
    triton: Process, edge: As, as_: Callable[..., As], device: Device, scene: bytes, plates: Plates
) -> None:
    """The device signs what it sends: that is the original."""
    told = Image.Exif()
    told[0x010F] = "Secret Phone"
    exif = told.tobytes()
    sent = scene[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + scene[2:]
    at = datetime.now(UTC)
    result = edge.ingest(device, sent, at=at, readings=device.sign(sent, at))
    assert result.evidence_sha256 == digest(sent)
    [read] = plates.of(device, at_least=1)
    assert read.evidence_sha256 == digest(sent) == read.readings.frame_sha256.hex()
    assert read.shown_sha256 == digest(scene)
    assert as_("violations").read(result.evidence_sha256) == ("image/jpeg", scene)


def test_the_box_of_a_plate_fits_the_form_that_is_shown(
    triton: Process, edge: As, as_: Callable[..., As], device: Device, scene: bytes
) -> None:
    """A photograph held sideways: box and shown form are both of the picture set upright."""
    upright = Image.open(io.BytesIO(scene))
    told, sideways = Image.Exif(), io.BytesIO()
    told[0x0112] = 6  # turn a quarter to the right to see it
    upright.rotate(90, expand=True).save(sideways, "JPEG", quality=95, exif=told.tobytes())
    plain, turned = edge.ingest(device, scene), edge.ingest(device, sideways.getvalue())
    [box], [other] = [plate.box for plate in plain.plates], [plate.box for plate in turned.plates]
    for name in ("x", "y", "width", "height"):
        assert abs(getattr(box, name) - getattr(other, name)) < 12
    _, shown = as_("violations").read(turned.evidence_sha256)
    with Image.open(io.BytesIO(shown)) as image:
        assert image.size == upright.size and not image.getexif()


def test_operators_read_nothing_here_nor_does_who_owns_no_record(
    reports: As, as_: Callable[..., As]
) -> None:
    sha256 = reports.store(content())
    strangers = [
        as_("operator-gateway", operator=operator)
        for operator in (
            "inspector-almaty",
            "supervisor-almaty",
            "dispatcher-almaty",
            "auditor-1",
            "security-1",
            "watchlist-1",
            "finance-1",
        )
    ]
    strangers += [as_("operator-gateway"), as_("fines"), as_("tartip-cli")]
    strangers += [as_("edge-1", kind="device"), as_("kaspi", kind="partner")]
    for stranger in strangers:
        with refused("NOT_ALLOWED"):
            stranger.read(sha256)
    assert as_("violations").read(sha256) == reports.read(sha256)


def test_reading_needs_a_purpose(reports: As) -> None:
    sha256 = reports.store(content())
    with refused("PURPOSE_REQUIRED"):
        reports.read(sha256, purpose=" ")
    with refused("EVIDENCE_NOT_FOUND"):
        reports.read("0" * 64)


def test_what_is_for_one_role_is_for_its_owner_alone(reports: As, as_: Callable[..., As]) -> None:
    complaint = content()
    sha256 = reports.store(complaint, role="internal_security")
    with refused("EVIDENCE_NOT_FOUND"):
        as_("violations").read(sha256)
    assert reports.read(sha256)[1] == complaint


def test_what_is_confidential_is_so_in_the_log(
    reports: As, rows: Callable[[str], list[Any]]
) -> None:
    sha256 = reports.store(content(), confidential=True)
    reports.read(sha256, confidential=True)
    for action in ("keep_evidence", "read_evidence"):
        [entry] = audited(rows, action, sha256)
        assert entry["class"] == "confidential"


def test_both_forms_are_kept_sealed_and_the_original_stays_as_it_came(
    engines: RunningTestMesh, reports: As, rows: Callable[[str], list[Any]]
) -> None:
    original, shown = photograph()
    sha256 = reports.store(original)
    assert (sha256, reports.shown) == (digest(original), digest(shown))
    assert reports.read(sha256) == ("image/jpeg", shown)
    files = [path for path in engines.home.evidence.rglob("*") if path.is_file()]
    for form in (sha256, reports.shown):
        [path] = [path for path in files if form in path.name]
        assert b"Secret Phone" not in path.read_bytes()
    assert opened(engines, sha256) == original
    kept = rows(
        f"SELECT shown_sha256 FROM evidence WHERE sha256 IN ('{sha256}', '{digest(shown)}')"
    )
    assert [row["shown_sha256"] for row in kept] == [digest(shown)] * 2


def test_where_there_is_nothing_to_leave_out_there_is_one_object(
    engines: RunningTestMesh, reports: As, rows: Callable[[str], list[Any]]
) -> None:
    picture = content()
    sha256 = reports.store(picture)
    assert reports.shown == sha256
    assert len(list(engines.home.evidence.rglob(f"{sha256}.*"))) == 1
    assert len(rows(f"SELECT 1 FROM evidence WHERE shown_sha256 = '{sha256}'")) == 1


def test_two_files_of_one_picture_have_one_shown_form(
    reports: As, rows: Callable[[str], list[Any]]
) -> None:
    original, shown = photograph()
    behind = original + b"something behind the end"
    for one in (original, behind):
        assert reports.read(reports.store(one))[1] == shown
    assert len(rows(f"SELECT 1 FROM evidence WHERE sha256 = '{digest(shown)}'")) == 1


def test_evidence_of_before_there_were_two_forms_gets_its_own_when_it_is_opened(
    reports: As, as_: Callable[..., As], rows: Callable[[str], list[Any]]
) -> None:
    original, shown = photograph()
    for picture, form in ((original, shown), (content(150), None)):
        form = form or picture
        sha256 = reports.store(picture)
        rows(f"UPDATE evidence SET shown_sha256 = NULL WHERE sha256 = '{sha256}'")
        if form != picture:
            rows(f"DELETE FROM evidence WHERE sha256 = '{digest(form)}'")
        with ThreadPoolExecutor(4) as pool:  # the first readers come at once
            owners = [as_("violations") for _ in range(4)]
            answers = list(pool.map(lambda owner, sha=sha256: owner.read(sha), owners))
        assert answers == [("image/jpeg", form)] * 4
        [row] = rows(f"SELECT shown_sha256 FROM evidence WHERE sha256 = '{sha256}'")
        assert row["shown_sha256"] == digest(form)
        assert reports.read(sha256)[1] == form


def test_the_form_that_the_owner_made_is_shown_and_the_original_never(
    engines: RunningTestMesh, reports: As, rows: Callable[[str], list[Any]]
) -> None:
    """Voice too, of which none is made here."""
    for original, form in (photograph(), (os.urandom(5000), os.urandom(4000))):
        clean = form + b"made by the owner"
        sha256, shown = digest(original + b"!"), digest(clean)
        with refused("EVIDENCE_FORM_MISSING"):
            reports.store(original + b"!", shown=shown)
        assert not rows(f"SELECT 1 FROM evidence WHERE sha256 = '{sha256}'")
        assert reports.store(clean, shown=shown) == reports.shown
        assert reports.store(original + b"!", shown=shown) == sha256
        assert reports.store(original + b"!", shown=shown) == sha256, "again, after a lost answer"
        assert reports.shown == shown
        assert reports.read(sha256)[1] == clean
        assert opened(engines, sha256) == original + b"!"
        assert len(rows(f"SELECT 1 FROM evidence WHERE sha256 = '{shown}'")) == 1


def test_a_form_for_one_role_is_not_that_of_an_original_for_all(reports: As) -> None:
    form = content(160)
    reports.store(form, shown=digest(form), role="internal_security")
    with refused("EVIDENCE_FORM_MISSING"):
        reports.store(content(170), shown=digest(form))


def test_what_cannot_be_shown_is_kept_and_said_to_be_so(
    engines: RunningTestMesh, reports: As
) -> None:
    for strange in (b"\x00\x00\x00\x18ftypmp42" + os.urandom(5000), os.urandom(5000)):
        sha256 = reports.store(strange)
        assert reports.shown == ""
        with refused("EVIDENCE_NOT_SHOWABLE"):
            reports.read(sha256)
        assert opened(engines, sha256) == strange


def opened(engines: RunningTestMesh, sha256: str) -> bytes:
    """The original, past every rule: with the service's own keys."""

    async def read() -> bytes:
        async with vault_beside(engines) as (evidence_store, db):
            async with db.begin(SYSTEM) as tx:
                found = await evidence_store.find(tx, sha256)
            return await evidence_store.content_of(found.stored)

    return asyncio.run(read())


@contextlib.asynccontextmanager
async def vault_beside(engines: RunningTestMesh) -> AsyncIterator[tuple[EvidenceStore, Database]]:
    environment = engines.environment("inference-gateway")
    db = Database(
        environment["TARTIP_WORK_DATABASE_URL"],
        service="test",
        keyring=Keyring(engines.keys.folder / "inference-gateway"),
        clock=system_clock,
    )
    yield EvidenceStore(db, BlobStore(environment["TARTIP_EVIDENCE_URL"]), system_clock), db
    await db.close()


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
        reports.store(bytes(100 * 1024 * 1024 + 1))
    with refused("BAD_REQUEST") as told:
        reports.store(b"x", sha256="xyz", region="Almaty")
    assert [error.field for error in told[0].fields] == ["header.sha256", "header.region"]


def test_only_citizen_reports_stores(as_: Callable[..., As]) -> None:
    for stranger in (as_("edge-1", kind="device"), as_("violations"), as_("tartip-cli")):
        with refused("NOT_ALLOWED"):
            stranger.store(b"x")


def test_a_young_object_is_nobodys_orphan_however_far_the_clock_is_moved(
    engines: RunningTestMesh, service: Process
) -> None:
    """The store dates objects by its own clock: in 400 days they are as young as today."""

    async def sweep() -> None:
        environment = engines.environment("inference-gateway")
        keyring = Keyring(engines.keys.folder / "inference-gateway")
        db = Database(
            environment["TARTIP_WORK_DATABASE_URL"],
            service="test",
            keyring=keyring,
            clock=system_clock,
        )
        objects = BlobStore(environment["TARTIP_EVIDENCE_URL"])
        evidence_store = EvidenceStore(db, objects, lambda: system_clock() + timedelta(days=400))
        young = await evidence_store.seal(content(1000), "image/jpeg")
        async with hold(db, "sweeper of a test") as lease:
            for _ in range(2):
                assert await evidence_store.sweep(lease, suspected_seconds=0.0) == 0
        assert (engines.home.evidence / young.object_path).exists()
        await db.close()

    asyncio.run(sweep())


def test_objects_that_a_crash_left_behind_are_swept_and_evidence_is_not(
    engines: RunningTestMesh, service: Process, reports: As
) -> None:
    picture = content()
    sha256 = reports.store(picture)

    async def sweep() -> None:
        async with (
            vault_beside(engines) as (evidence_store, db),
            hold(db, "sweeper of a test") as lease,
        ):
            await sweep_with(evidence_store, db, lease)

    async def sweep_with(evidence_store: EvidenceStore, db: Database, lease: Lease) -> None:
        orphan = await evidence_store.seal(photograph()[0], "image/jpeg")
        # Of a fact that waited while the database was away, for longer than an orphan's age.
        waiting = await evidence_store.seal(photograph()[0], "image/jpeg")
        assert await evidence_store.sweep(lease) == 0
        # The database is back, and the sweeper comes before whoever holds the fact.
        assert await evidence_store.sweep(lease, orphan_age=timedelta(0)) == 0
        async with db.begin(SYSTEM) as tx:
            await store_evidence(tx, waiting, EvidencePlace("KZ-75"))
        assert await evidence_store.sweep(lease, orphan_age=timedelta(0)) == 0
        swept = evidence_store.sweep(lease, orphan_age=timedelta(0), suspected_seconds=0.0)
        assert await swept >= 1
        forms = [form for kept in (orphan, waiting) for form in (kept, kept.shown) if form]
        left = [(engines.home.evidence / form.object_path).exists() for form in forms]
        assert left == [False, False, True, True]
        assert not {form.object_path for form in forms} & set(evidence_store._suspects)

    asyncio.run(sweep())
    assert reports.read(sha256)[1] == picture
