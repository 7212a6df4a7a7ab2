"""A mesh that lives on another day: who is told, who follows it, and who is refused it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chassis.clock import clock_offset, move_clock, real_clock, system_clock
from law.zone import almaty_day
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.settings import Settings, find_checkout, read_settings
from tartip_testing.mesh import RunningTestMesh, start_mesh

DAY = dt.date(2090, 12, 24)
SOON = dt.timedelta(minutes=2)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    """Engines of a day of which the law tells nothing yet, nor of the year after."""
    home = tmp_path_factory.mktemp("moved")
    running = start_mesh(
        home, without=("services", "triton"), moved_by=DAY - almaty_day(real_clock())
    )
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


def tartip(home: Path, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", *arguments],
        env={"PATH": os.defpath, "TARTIP_HOME": str(home), **told},
        cwd=find_checkout(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_status_says_loudly_which_day_it_is_and_what_is_assumed(moved: RunningTestMesh) -> None:
    shown = tartip(moved.home.path, "status")
    assert shown.returncode == 0, shown.stderr
    assert "Trial: the clock is moved, today is 2090-12-24." in shown.stdout
    assert "Trial: the base value (MCI) of 2091 is assumed" in shown.stdout
    began = moved.home.log_of("up").read_text()
    assert "Trial: the clock is moved, today is 2090-12-24." in began
    told = json.loads(tartip(moved.home.path, "status", "--json").stdout)
    now = dt.datetime.fromisoformat(told["now"])
    offset = dt.timedelta(seconds=told["clock_offset_seconds"])
    assert almaty_day(now) == DAY and abs(now - offset - real_clock()) < SOON
    assert [(one["code"], one.get("table"), one.get("year")) for one in told["notices"]] == [
        ("CLOCK_MOVED", None, None),
        ("YEAR_ASSUMED", "calendar", "2090"),
        ("YEAR_ASSUMED", "calendar", "2091"),
        ("YEAR_ASSUMED", "base_values", "2090"),
        ("YEAR_ASSUMED", "base_values", "2091"),
    ]


def test_a_command_lives_in_the_time_of_the_mesh_that_it_speaks_to(moved: RunningTestMesh) -> None:
    before = clock_offset()
    settings = Settings(home=moved.home.path, checkout=find_checkout())
    try:
        Outside.of_running(settings)
        assert almaty_day(system_clock()) == DAY
    finally:
        move_clock(before)


def test_services_are_told_of_it_and_certificates_are_not(moved: RunningTestMesh) -> None:
    environment = moved.environment("fines")
    assert float(environment["TARTIP_CLOCK_OFFSET"]) > dt.timedelta(days=20000).total_seconds()
    assert environment["TARTIP_ASSUME_YEARS"] == "1"
    from cryptography import x509

    pair = moved.certificates.service("fines")
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    assert certificate.not_valid_before_utc <= real_clock() <= certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("arguments", "told", "named"),
    [
        (("up", "--today", "2027-01-15"), {}, "TARTIP_CLOCK_OFFSET"),
        (("up",), {"TARTIP_CLOCK_OFFSET": "P48D"}, "TARTIP_CLOCK_OFFSET"),
        (("up",), {"TARTIP_ASSUME_YEARS": "1"}, "TARTIP_ASSUME_YEARS"),
    ],
)
def test_production_refuses_what_is_for_trials_alone(
    tmp_path: Path, arguments: tuple[str, ...], told: dict[str, str], named: str
) -> None:
    refused = tartip(tmp_path / "home", *arguments, TARTIP_ENVIRONMENT="production", **told)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"tartip: {named}: for trials alone, refused with TARTIP_ENVIRONMENT=production\n"
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("told", "assumes"),
    [
        ({}, True),
        ({"TARTIP_ASSUME_YEARS": "0"}, False),
        ({"TARTIP_ENVIRONMENT": "sandbox"}, True),
        ({"TARTIP_ENVIRONMENT": "production"}, False),
    ],
)
def test_a_trial_assumes_years_unless_it_is_told_not_to(
    told: dict[str, str], assumes: bool
) -> None:
    assert read_settings(told).assumes_years is assumes


@pytest.mark.parametrize(
    "told", [{"TARTIP_CLOCK_OFFSET": "tomorrow"}, {"TARTIP_ASSUME_YEARS": "yes"}]
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, told: dict[str, str]) -> None:
    refused = tartip(tmp_path, "status", **told)
    assert refused.returncode == 2 and next(iter(told)) in refused.stderr
