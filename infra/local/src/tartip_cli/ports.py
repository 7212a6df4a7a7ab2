"""Chooses the ports of all parts, and checks that they are free before any part starts."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from dataclasses import dataclass

import psutil

from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import Service

LOOPBACK = "127.0.0.1"
# Of a sandbox alone.
_SANDBOX_REPORTS, _SANDBOX_CONTROL = 6, 7
_POSTGRES, _NATS, _NATS_MONITOR, _TRITON, _TRITON_METRICS, _SUPERVISOR = range(10, 16)
_SPAN_OF_PORTS = 16
_APART = 97


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The ports of one mesh. The field `base` is the first of several consecutive ports. The field
    `gateway` is the port of the operator gateway."""

    base: int
    gateway: int

    @property
    def postgres(self) -> int:
        return self.base + _POSTGRES

    @property
    def nats(self) -> int:
        return self.base + _NATS

    @property
    def nats_monitor(self) -> int:
        return self.base + _NATS_MONITOR

    @property
    def triton(self) -> int:
        return self.base + _TRITON

    @property
    def triton_metrics(self) -> int:
        return self.base + _TRITON_METRICS

    @property
    def supervisor(self) -> int:
        return self.base + _SUPERVISOR

    @property
    def sandbox_reports(self) -> int:
        """Where partners call the citizens' reports of a sandbox."""
        return self.base + _SANDBOX_REPORTS

    @property
    def sandbox_control(self) -> int:
        """Where a sandbox is told what to do, over HTTP."""
        return self.base + _SANDBOX_CONTROL

    def of(self, service: Service) -> int:
        return self.gateway if service.port_offset is None else self.base + service.port_offset

    def address(self, service: Service) -> str:
        return f"{LOOPBACK}:{self.of(service)}"


def require_free(port: int, part: str, *, variable: str = "TARTIP_PORT_BASE") -> None:
    """Raise Failure if the port of `part` is in use or not usable. The message names the process
    that uses the port, if known. It also names `variable`, the setting that changes the port."""
    error = _bind_error(port)
    if error is None:
        return
    if error.errno != errno.EADDRINUSE:
        raise Failure(f"cannot listen on {LOOPBACK}:{port} for {part}: {error.strerror}")
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    raise Failure(
        f"port {port} ({part}) is taken{by}: stop it, or set {variable} to another number",
        Exit.PORT_TAKEN,
    )


def free_base(candidates: range = range(21000, 31000, 20)) -> Ports:
    """Find ports for a mesh that are all free now, for tests and trial runs. `candidates` are the
    base ports to try. Raises Failure if none is free."""
    # Far from the start of another process that searches at the same time with the next pid.
    start = os.getpid() * _APART % len(candidates)
    for index in range(len(candidates)):
        base = candidates[(start + index) % len(candidates)]
        if all(_bind_error(base + step) is None for step in range(_SPAN_OF_PORTS + 1)):
            return Ports(base=base, gateway=base + _SPAN_OF_PORTS)
    between = f"{candidates.start} and {candidates.stop}"
    raise Failure(f"no free span of ports between {between}", Exit.PORT_TAKEN)


def holder_of(port: int) -> str | None:
    """Return the name and pid of the process that listens on a port, such as "nginx (pid 12)". None
    if no process listens, or if this process may not see which one does."""
    with contextlib.suppress(OSError, psutil.Error):
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid:
                return f"{psutil.Process(found.pid).name()} (pid {found.pid})"
    return None


def _bind_error(port: int) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Like the servers: a port in TIME_WAIT is free for a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None
