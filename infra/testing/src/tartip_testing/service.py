"""Runs one service as a separate process, with real PostgreSQL and NATS, for component tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tartip_cli.topology import COMMAND_LINE, service_named

from tartip_testing.mesh import RunningTestMesh

# An overloaded machine takes over a minute for what takes a quiet one 3 s.
_START_SECONDS = 300.0
_STOP_SECONDS = 120.0


def migrated(engines: RunningTestMesh, service: str, **settings: str) -> dict[str, str]:
    """Migrate a service's schema. Returns the environment variables that were used, including
    `settings`."""
    environment = {**os.environ, **engines.owner_environment(service), **settings}
    subprocess.run(
        [*_program(service), "migrate"], env=environment, check=True, timeout=_START_SECONDS
    )
    return environment


@contextmanager
def serving(
    engines: RunningTestMesh, service: str, environment: dict[str, str], log: Path
) -> Iterator[str]:
    """Run a service during the block, and yield its address ("host:port").

    The output of the service goes to the file `log`. Raises AssertionError if the service does not
    start, or ends with an exit code other than 0.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_program(service), "serve"], env=environment, stdout=output, stderr=output
        )
    try:
        _wait_until_serving(engines, service, process, log)
        yield engines.address(service)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(_STOP_SECONDS) == 0, _end_of(log)


def _program(service: str) -> list[str]:
    return [sys.executable, "-m", service_named(service).package]


def _wait_until_serving(
    engines: RunningTestMesh, service: str, process: subprocess.Popen[bytes], log: Path
) -> None:
    pair = engines.certificates.service(COMMAND_LINE)
    credentials = grpc.ssl_channel_credentials(
        engines.certificates.authority.read_bytes(),
        pair.key.read_bytes(),
        pair.certificate.read_bytes(),
    )
    deadline = time.monotonic() + _START_SECONDS
    with grpc.secure_channel(engines.address(service), credentials) as channel:
        while not _serves(channel):
            assert process.poll() is None, _end_of(log)
            assert time.monotonic() < deadline, _end_of(log)
            time.sleep(0.1)


def _serves(channel: grpc.Channel) -> bool:
    request = health_pb2.HealthCheckRequest()
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]
