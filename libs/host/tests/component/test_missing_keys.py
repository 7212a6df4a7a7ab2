"""A service whose certificate, key or list cannot be used says so in one line and ends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.provision.certificates import Certificates

END_SECONDS = 60.0
AUTHORITIES = {"ca.pem", "partner.pem", "officer-ca.pem"}


def tried(postgres: Any, service: str, held: Certificates) -> subprocess.CompletedProcess[str]:
    pair = held.service(service)
    environment = {
        **os.environ,
        **postgres.environment(service),
        "TARTIP_TLS_CERT": str(pair.certificate),
        "TARTIP_TLS_KEY": str(pair.key),
        "TARTIP_TLS_CA": str(held.authority),
        "TARTIP_TLS_CLIENT_AUTHORITIES": str(held.client_authorities),
        "TARTIP_OFFICER_CA": str(held.officer_authority),
    }
    return subprocess.run(
        [sys.executable, "-m", service.replace("-", "_"), "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("service", "file", "content"),
    [
        ("fines", "service/fines.key", None),
        ("fines", "service/fines.pem", b"damaged"),
        ("fines", "ca.pem", None),
        ("fines", "authorities/partner.pem", None),
        ("fines", "authorities/partner.crl", b"damaged"),
        ("violations", "officer-ca.pem", None),
        ("operator-gateway", "service/operator-gateway.key", b"damaged"),
    ],
)
def test_what_is_missing_or_damaged_is_the_last_line_and_no_traceback(
    postgres: Any, tmp_path: Path, service: str, file: str, content: bytes | None
) -> None:
    held = Certificates(tmp_path / "tls")
    shutil.copytree(postgres.certificates.folder, held.folder)
    path = held.folder / file
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    ended = tried(postgres, service, held)
    assert ended.returncode != 0 and "Traceback" not in ended.stderr, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith(f"{service}: {path} cannot be used"), last
    assert ("restore it from a backup" in last) == (path.name in AUTHORITIES), last
