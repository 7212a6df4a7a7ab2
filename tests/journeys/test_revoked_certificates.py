"""A partner's certificate is revoked by the command line while the mesh runs."""

from __future__ import annotations

import pytest
from tartip.reports.v1 import reports_pb2
from tartip_testing.mesh import RunningTestMesh

from .test_partners import MET_SECONDS, Client, done, reason_of, soon

pytestmark = pytest.mark.mesh
NAME = "careless-bank"
SCOPES = [f"--scope={scope}" for scope in ("reports", "payments", "look_ups")]


def test_a_revoked_certificate_is_refused_within_a_minute_also_on_open_streams(
    mesh: RunningTestMesh,
) -> None:
    client = Client(mesh, done(mesh, "add", NAME, *SCOPES)["files"])
    soon(client, ("", "", ""))
    stream = client.watch_reports(timeout=MET_SECONDS)
    soon(client, ("", "", ""))  # after it, on the same connection: the stream is open
    arguments = ("revoke-certificate", NAME, "--reason", "its key was lost")
    revoked = done(mesh, *arguments)["revoked"]
    assert len(revoked) == 1 and done(mesh, *arguments)["revoked"] == []
    soon(client, ("CERTIFICATE_REVOKED",) * 3)
    ended = reason_of(lambda request, timeout: next(stream), reports_pb2.WatchReportsRequest())
    assert ended == "CERTIFICATE_REVOKED"

    replaced = done(mesh, *arguments, "--replace")
    authority = str(mesh.certificates.authority)
    soon(Client(mesh, {**replaced["files"], "authority": authority}), ("", "", ""))
    assert client.everything() == ("CERTIFICATE_REVOKED",) * 3
