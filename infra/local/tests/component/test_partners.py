"""`tartip partners` at services that run, and at one that is away; its certificates are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from chassis.authorities import Authorities
from tartip_cli.failures import Exit
from tartip_cli.provision.certificates import Certificates
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.service import migrated, serving

ADD = ("add", "new-bank", "--scope=look_ups", "--scope=payments", "--quota", "calls=4")


@pytest.fixture(scope="module")
def fines(
    engines: RunningTestMesh, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTestMesh]:
    with served(engines, "fines", tmp_path_factory.mktemp("fines")):
        yield engines


def served(engines: RunningTestMesh, service: str, folder: Path) -> AbstractContextManager[str]:
    return serving(engines, service, migrated(engines, service), folder / "service.log")


def tartip(mesh: RunningTestMesh, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", "partners", *arguments],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(ran: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(ran.stdout)


def test_what_was_done_at_one_service_is_completed_by_the_same_command(
    fines: RunningTestMesh, tmp_path: Path
) -> None:
    half = tartip(fines, *ADD, "--json")
    assert half.returncode == Exit.REFUSED
    at_fines, at_reports = told(half)["services"]
    assert (at_fines["service"], at_fines["done"]) == ("fines", "added")
    assert at_reports == {"service": "citizen-reports", "refused": "UNAVAILABLE"}
    assert "citizen-reports refused" in half.stderr and "completes" in half.stderr
    assert "Traceback" not in half.stderr
    certificate = Path(told(half)["files"]["certificate"]).read_bytes()

    with served(fines, "citizen-reports", tmp_path):
        whole = tartip(fines, *ADD, "--json")
        assert whole.returncode == Exit.OK, whole.stderr
        done = [service["done"] for service in told(whole)["services"]]
        assert done == ["unchanged", "added"]
        assert Path(told(whole)["files"]["certificate"]).read_bytes() == certificate
        fines.certificates.partner("new-bank").key.unlink()  # the partner keeps it
        assert told(tartip(fines, *ADD, "--json"))["files"].keys() == {"certificate", "authority"}
        plain = tartip(fines, "change", "new-bank", "--quota", "calls=default", "--kind=incident")
        assert plain.returncode == Exit.OK, plain.stderr
        assert plain.stdout.split("\n")[:2] == [
            "fines: changed (version 2)",
            "citizen-reports: changed (version 2)",
        ]
        for shown in told(tartip(fines, "show", "new-bank", "--json"))["services"]:
            assert (shown["quota"], shown["kinds"]) == ({}, ["incident"])
            assert shown["scopes"] == ["payments", "look_ups"]
            assert shown["changed_by"] == "service/tartip-cli"
        table = tartip(fines, "list")
        assert table.returncode == Exit.OK and table.stdout.count("new-bank") == 2


def test_what_is_wrong_is_named(fines: RunningTestMesh) -> None:
    wrong = tartip(fines, "add", "No Such Name", "--quota", "calls=0")
    assert wrong.returncode == Exit.REFUSED and "Traceback" not in wrong.stderr
    for field in ("name", "terms.scopes", "terms.quota.calls"):
        assert f"\n  {field}: " in wrong.stderr
    assert not fines.certificates.partner("No Such Name").certificate.exists()
    for arguments in (
        ("--scope", "everything"),
        ("--kind", "letters"),
        ("--quota", "calls"),
        ("--quota", "calls=many"),
        ("--detail", "name=x"),
    ):
        for command in ("add", "change"):
            unknown = tartip(fines, command, "some-bank", *arguments)
            assert unknown.returncode == Exit.USAGE, unknown.stderr
            assert arguments[0] in unknown.stderr
    missing = tartip(fines, "change", "no-such-bank", "--scope", "reports")
    assert missing.returncode == Exit.REFUSED and "PARTNER_NOT_FOUND" in missing.stderr
    exists = tartip(fines, "add", "kaspi", "--scope", "reports")
    assert exists.returncode == Exit.REFUSED and "PARTNER_EXISTS" in exists.stderr


def test_partners_that_were_added_get_new_certificates_at_each_start(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    assert certificates.issue_partner("new-bank")
    assert not certificates.issue_partner("new-bank")
    first = certificates.partner("new-bank").certificate.read_bytes()
    certificates.renew()
    second = certificates.partner("new-bank").certificate.read_bytes()
    assert first != second
    authorities = Authorities.in_folder(certificates.client_authorities)
    assert authorities.caller(second) == ("partner", "new-bank")
