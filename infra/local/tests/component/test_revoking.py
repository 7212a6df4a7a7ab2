"""`tartip officers revoke` works on the data folder alone: the mesh need not run."""

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

OFFICER = "inspector-almaty"


@pytest.fixture
def held(tmp_path: Path) -> Certificates:
    home = DataDir(tmp_path)
    home.prepare()
    certificates = Certificates(home.tls)
    certificates.renew()
    return certificates


def tartip(held: Certificates, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", "officers", *arguments, "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(held.folder.parent)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def told(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == Exit.OK, ran.stderr
    return json.loads(ran.stdout)


def is_revoked(held: Certificates) -> bool:
    shown = held.officer(OFFICER).certificate.read_bytes()
    return RevocationList(held.officer_authority).revokes(serials_of(shown))


def test_who_revoked_when_and_why_is_kept_and_a_new_certificate_counts(held: Certificates) -> None:
    revoke = ("revoke", OFFICER, "--reason", "the card was lost")
    assert len(told(tartip(held, *revoke))["revoked"]) == 1
    assert is_revoked(held)
    again = told(tartip(held, *revoke, "--replace"))
    assert again["revoked"] == [] and not is_revoked(held)
    assert again["files"]["certificate"] == str(held.officer(OFFICER).certificate)
    listed = told(tartip(held, "list"))
    [kept] = listed["revoked"]
    assert (kept["name"], kept["reason"]) == (OFFICER, "the card was lost")
    assert kept["by"] and kept["at"]
    assert f"officer/{OFFICER}" in [each["name"] for each in listed["certificates"]]


def test_what_is_wrong_is_named(held: Certificates) -> None:
    unknown = tartip(held, "revoke", "nobody", "--reason", "left")
    assert unknown.returncode == Exit.NOT_FOUND and "nobody" in unknown.stderr
    silent = tartip(held, "revoke", OFFICER, "--reason", " ")
    assert silent.returncode == Exit.USAGE and "--reason" in silent.stderr
    assert not is_revoked(held)
