"""Alerts become true by a real fault in a real Prometheus, and false after it was mended."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chassis.clock import real_clock, system_clock
from law.zone import almaty_day
from tartip_cli.alerts.objectives import read_objectives
from tartip_cli.clients import samples
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.settings import find_checkout
from tartip_cli.topology import FINES, SERVICES
from tartip_testing.mesh import RunningTestMesh, start_mesh
from tartip_testing.prometheus import Prometheus, prometheus

from . import alert_faults as faults
from .alert_bed import Bed, Fault

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

SEEN_SECONDS = 20.0
FIRES_SECONDS = 240.0
BURNS = {"TartipBudgetBurnsFast", "TartipBudgetBurns", "TartipBudgetBurnsSlowly"}
DATABASE = {"TartipDatabaseAway", "TartipPartNotReady", "TartipServiceUnready"}
BROKER = {"TartipBrokerAway", "TartipEventsNotPublished", "TartipServiceDegraded"}
FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "a database that stands still": (
        faults.database_stands_still,
        DATABASE | BURNS,
    ),
    "a service that is killed again and again": (
        faults.fines_is_away,
        {"TartipSyntheticCallFails", "TartipPartNotReady"},
    ),
    "a broker that is killed again and again": (
        faults.broker_is_away,
        BROKER | {"TartipRegisterDeaf", "TartipPartRestarts"},
    ),
    "an audit log that is locked": (faults.audit_log_is_locked, {"TartipAuditNotSealed"}),
    "work that is locked": (faults.work_is_locked, {"TartipWorkOverdue"}),
    "an inbox that is locked": (faults.inbox_is_locked, {"TartipConsumerStalled"}),
    "a table that is locked": (faults.payments_are_locked, {"TartipPoolExhausted"}),
    "an event that is poison": (faults.event_is_poison, {"TartipDeadLetters"}),
    "a certificate that ends tomorrow": (
        faults.certificate_ends,
        {"TartipCertificateEnds", "TartipCertificateEndsSoon"},
    ),
    "a supervisor that stands still": (faults.supervisor_stands_still, {"TartipMetricsAway"}),
    "a disk that fills": (faults.disk_fills, {"TartipDiskFillsUp", "TartipDiskNearlyFull"}),
    "evidence that was changed": (faults.evidence_is_changed, {"TartipEvidenceDamaged"}),
    "a hub that is silent": (faults.hub_is_silent, {"TartipHubsSilent"}),
    "a bank that floods": (faults.bank_floods, {"TartipSharesExceeded"}),
    "an app that takes no webhooks": (faults.app_takes_no_webhooks, {"TartipWebhooksFail"}),
    "a stream that is away": (faults.stream_is_away, {"TartipStreamsAway"}),
    "facts of a stream that the database refuses": (
        faults.facts_are_refused,
        {"TartipStreamFactsLost"},
    ),
    "evidence that is not mounted": (
        faults.evidence_is_not_mounted,
        {"TartipEvidenceCheckBehind"},
    ),
    "an erasure that waits for a file": (
        faults.erasure_waits,
        {"TartipRetentionOverdue"},
    ),
    "models that are killed again and again": (
        faults.models_are_away,
        {"TartipFunctionDegraded"},
    ),
    "a clock that goes apart": (
        faults.clock_goes_apart,
        {"TartipClockApart", "TartipServiceUnready"},
    ),
}
LAW = "TartipLawTableMissing"


def test_every_alert_has_a_fault() -> None:
    objectives = read_objectives(find_checkout() / "infra" / "otel" / "objectives.yaml")
    names = {alert.name for alert in objectives.alerts} | {b.alert for b in objectives.burns}
    with_fault = {LAW}.union(*(alerts for _, alerts in FAULTS.values()))
    assert with_fault == names


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """2 GiB for the evidence alone."""
    disk = tmp_path_factory.mktemp("alerts") / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("left out: only root may mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="module")
def alarmed(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTestMesh]:
    environment = {
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "TARTIP_EVIDENCE_URL": small_disk.as_uri(),
        "TARTIP_EVIDENCE_CHECK_DAYS": "0.001",
        "TARTIP_PROBE_FIRST_AFTER_SECONDS": "60",
        "TARTIP_PROBE_EVERY_SECONDS": "60",
        "TARTIP_PROBE_AGAIN_AFTER_SECONDS": "5",
        "TARTIP_PROBE_SLOWEST_SECONDS": "60",
        "TARTIP_WEBHOOK_HOSTS": "127.0.0.1:9",
    }
    mesh = start_mesh(tmp_path_factory.mktemp("alarmed") / "home", environment=environment)
    try:
        mesh.wait_ready()
        yield mesh
    finally:
        mesh.stop()
        erase_cluster(mesh.home)


@pytest.fixture(scope="module")
def watching(
    alarmed: RunningTestMesh, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder, alarmed.ports.supervisor) as running:
        yield running


@pytest.fixture
async def bed(alarmed: RunningTestMesh, small_disk: Path) -> AsyncIterator[Bed]:
    samples.ensure_vehicles(samples.vehicles_path(alarmed.home, None))
    async with Outside(
        home=alarmed.home, ports=alarmed.ports, oidc_issuer=alarmed.oidc_issuer
    ) as outside:
        cameras, _ = await samples.registered(outside, now=system_clock())
        yield Bed(alarmed, outside, cameras, small_disk)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_told_and_its_end_too(name: str, bed: Bed, watching: Prometheus) -> None:
    fault, alerts = FAULTS[name]
    assert not alerts & await watching.firing(), "one of them fires before"
    async with fault(bed):
        told = await watching.until_all_fire(alerts, seconds=FIRES_SECONDS)
    ended = await watching.until_none_fires(alerts)
    print(f"{name}: {', '.join(sorted(alerts))} after {told:.0f} s, ended {ended:.0f} s after it")
    bed.mesh.wait_ready()


@pytest.mark.parametrize(
    ("day", "expected"),
    [(dt.date(2028, 6, 15), {LAW}), (dt.date(2026, 6, 15), set[str]())],
    ids=str,
)
def test_a_missing_table_of_the_law_is_told(
    day: dt.date, expected: set[str], tmp_path: Path
) -> None:
    """In a year whose tables nobody has added yet, and in one that has them."""
    others = ("triton", *(one.name for one in SERVICES if one is not FINES))
    mesh = start_mesh(
        tmp_path / "home",
        without=others,
        moved_by=day - almaty_day(real_clock()),
        environment={"OTEL_METRIC_EXPORT_INTERVAL": "1000"},
    )
    try:
        mesh.wait_ready()
        with prometheus(tmp_path, mesh.ports.supervisor) as running:
            found = asyncio.run(running.fired_within(SEEN_SECONDS, LAW))
        assert found == expected
    finally:
        mesh.stop()
        erase_cluster(mesh.home)
