"""A partner is added, narrowed and revoked by `tartip partners` while the mesh runs.

The client has its own certificate and the contract, nothing else of ours.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc
from tartip_cli.failures import Exit
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
NAME = "journey-bank"
# A change is met within a minute; this leaves a slow machine as much again.
MET_SECONDS = 120


class Client:
    """Calls both services under one certificate; a call gives the reason of its refusal."""

    def __init__(self, mesh: RunningTestMesh, files: dict[str, str]) -> None:
        certificate, key, authority = (
            Path(files[name]).read_bytes() for name in ("certificate", "key", "authority")
        )
        self._credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        self._bank = fines_pb2_grpc.FinePaymentsStub(self._channel(mesh, "fines"))
        self._app = reports_pb2_grpc.CitizenReportsStub(self._channel(mesh, "citizen-reports"))

    def _channel(self, mesh: RunningTestMesh, service: str) -> grpc.Channel:
        return grpc.secure_channel(mesh.address(service), self._credentials)

    def look_up(self) -> str:
        return reason_of(
            self._bank.LookupFines, fines_pb2.LookupFinesRequest(number="000000000000000")
        )

    def list_payments(self) -> str:
        return reason_of(self._bank.ListPayments, fines_pb2.ListPaymentsRequest())

    def list_reports(self) -> str:
        page = common_pb2.Page(size=1)
        return reason_of(self._app.ListReports, reports_pb2.ListReportsRequest(page=page))

    def watch_reports(self, *, timeout: float) -> Any:
        return self._app.WatchReports(reports_pb2.WatchReportsRequest(), timeout=timeout)

    def everything(self) -> tuple[str, str, str]:
        return self.look_up(), self.list_payments(), self.list_reports()


def reason_of(method: Any, request: Any) -> str:
    """The name of the refusal; empty for an answer."""
    try:
        method(request, timeout=10)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        trailing = {key: value for key, value in error.trailing_metadata() or ()}
        details = trailing["grpc-status-details-bin"]
        assert isinstance(details, bytes)
        for packed in status_pb2.Status.FromString(details).details:
            info = error_details_pb2.ErrorInfo()
            if packed.Unpack(info):
                return str(info.reason)
    return ""


def done(mesh: RunningTestMesh, *arguments: str) -> Any:
    ran = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "partners", *arguments, "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == Exit.OK, ran.stderr
    return json.loads(ran.stdout)


def outcomes(told: Any) -> list[str]:
    return [service["done"] for service in told["services"]]


def soon(client: Client, wanted: tuple[str, str, str]) -> None:
    deadline = time.monotonic() + MET_SECONDS
    while (found := client.everything()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_a_partner_is_added_narrowed_and_revoked_without_a_restart(mesh: RunningTestMesh) -> None:
    pids = [mesh.pid(service) for service in ("fines", "citizen-reports")]
    scopes = [f"--scope={scope}" for scope in ("reports", "payments", "look_ups")]
    added = done(mesh, "add", NAME, *scopes, "--quota", "calls=8", "--detail", "contact=desk")
    assert outcomes(added) == ["added", "added"]
    client = Client(mesh, added["files"])
    soon(client, ("", "", ""))
    repeated = done(mesh, "add", NAME, *scopes, "--quota", "calls=8", "--detail", "contact=desk")
    assert outcomes(repeated) == ["unchanged", "unchanged"]
    assert repeated["files"] == added["files"]

    day = done(mesh, "day", NAME)
    assert (day["accepted"], day["is_over"]) == (0, False)
    assert day["ids_sha256"] == hashlib.sha256(b"").hexdigest() and "kinds" not in day

    assert outcomes(done(mesh, "change", NAME, *scopes[::2])) == ["changed", "changed"]
    soon(client, ("", "SCOPE_MISSING", ""))
    assert outcomes(done(mesh, "change", NAME, *scopes[::2])) == ["unchanged", "unchanged"]

    revoked = done(mesh, "revoke", NAME, "--reason", "the journey ends")
    assert outcomes(revoked) == ["revoked", "revoked"]
    soon(client, ("PARTNER_REVOKED",) * 3)
    shown = done(mesh, "show", NAME)["services"]
    assert [(each["quota"], each["contact"]) for each in shown] == [({"calls": 8}, "desk")] * 2
    assert all(each["revoked_at"] and each["version"] == 3 for each in shown)
    names = [partner["name"] for partner in done(mesh, "list")["partners"]]
    assert NAME in names and {"egov", "kaspi"} <= set(names)
    assert pids == [mesh.pid(service) for service in ("fines", "citizen-reports")]
