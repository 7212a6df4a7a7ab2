"""`tartip officers` and `tartip devices` work on the data folder alone: the mesh need not run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from host.revocation import RevocationList, serials_of
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit
from tartip_cli.provision.certificates import Certificates
from tartip_cli.settings import inherited_environment

OFFICER, DEVICE = "inspector-almaty", "edge-1"


@pytest.fixture
def held(tmp_path: Path) -> Certificates:
    home = DataDir(tmp_path)
    home.prepare()
    certificates = Certificates(home.tls)
    certificates.renew()
    return certificates


def tartip(held: Certificates, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", *arguments, "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(held.folder.parent)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def told(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == Exit.OK, ran.stderr
    return json.loads(ran.stdout)


def is_revoked(held: Certificates, kind: str, name: str) -> bool:
    devices = held.client_authorities / "device.pem"
    authority = {"officer": held.officer_authority, "device": devices}[kind]
    shown = held.pair(kind, name).certificate.read_bytes()
    return RevocationList(authority).revokes(serials_of(shown))


@pytest.mark.parametrize(("kind", "name"), [("officer", OFFICER), ("device", DEVICE)])
def test_who_revoked_when_and_why_is_kept_and_a_new_certificate_counts(
    held: Certificates, kind: str, name: str
) -> None:
    revoke = (f"{kind}s", "revoke", name, "--reason", "it was lost")
    assert len(told(tartip(held, *revoke))["revoked"]) == 1
    assert is_revoked(held, kind, name)
    again = told(tartip(held, *revoke, "--replace"))
    assert again["revoked"] == [] and not is_revoked(held, kind, name)
    assert again["files"]["certificate"] == str(held.pair(kind, name).certificate)
    listed = told(tartip(held, f"{kind}s", "list"))
    [kept] = listed["revoked"]
    assert (kept["name"], kept["reason"]) == (name, "it was lost")
    assert kept["by"] and kept["at"]
    assert f"{kind}/{name}" in [each["name"] for each in listed["certificates"]]


def test_what_is_wrong_is_named(held: Certificates) -> None:
    unknown = tartip(held, "officers", "revoke", "nobody", "--reason", "left")
    assert unknown.returncode == Exit.NOT_FOUND and "nobody" in unknown.stderr
    silent = tartip(held, "officers", "revoke", OFFICER, "--reason", " ")
    assert silent.returncode == Exit.USAGE and "--reason" in silent.stderr
    assert not is_revoked(held, "officer", OFFICER)
