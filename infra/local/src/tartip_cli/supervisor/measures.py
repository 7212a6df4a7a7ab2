"""The supervisor's own metrics: its parts, the certificates, and the space on disks.

`infra/otel/metrics.yaml` describes these metrics. They are served on the supervisor's Prometheus
endpoint, and sent to the external collector if one is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

from host.certificates import CertificateUnusable, days_left
from host.telemetry.exporters import Destination
from host.telemetry.exposition import own_metrics
from host.telemetry.providers import periodic, resource_of
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from opentelemetry.sdk.metrics import MeterProvider

from tartip_cli.parts.mesh import Mesh
from tartip_cli.supervisor.children import State

Observe = Callable[[CallbackOptions], Iterable[Observation]]
_LEAVES = ("service", "partner", "device")


class SupervisorMeasures:
    """Exports the supervisor's metrics. The function `states` returns the current state of each
    part by name."""

    def __init__(self, mesh: Mesh, states: Callable[[], dict[str, State]]) -> None:
        self._mesh = mesh
        self._states = states
        own = f"127.0.0.1:{mesh.ports.supervisor}"
        reader, read = own_metrics()
        self.read: Callable[[], Iterable[ResourceMetrics]] = read  # as they are now
        readers = [reader]
        if mesh.settings.otlp_endpoint is not None:
            to = Destination(mesh.settings.otlp_endpoint, mesh.settings.otlp_protocol)
            readers.append(periodic(to, mesh.settings.metric_export_interval))
        resource = resource_of("supervisor", mesh.settings.environment, own)
        self._provider = MeterProvider(
            metric_readers=readers, resource=resource, shutdown_on_exit=False
        )
        self.meter: Meter = self._provider.get_meter("tartip")
        self._restarts = self.meter.create_counter("tartip.part.restarts", unit="{restart}")
        for part in mesh.parts:
            self._restarts.add(0, {"part": part.name})
        self._gauge("tartip.part.ready", "{part}", self._ready)
        self._gauge("tartip.certificate.left", "d", self._certificates)
        self._gauge("tartip.disk.free", "By", lambda _: self._disks("f_bavail"))
        self._gauge("tartip.disk.size", "By", lambda _: self._disks("f_blocks"))

    def note(self, name: str, state: State) -> None:
        """Count a restart of the part `name` if its new `state` is RESTARTING."""
        if state is State.RESTARTING:
            self._restarts.add(1, {"part": name})

    def close(self) -> None:
        """Export the metrics a last time. Waits for the collector's answer or the time-out."""
        self._provider.shutdown()

    def _gauge(self, name: str, unit: str, observe: Observe) -> None:
        self.meter.create_observable_gauge(name, [observe], unit=unit)

    def _ready(self, _: CallbackOptions) -> Iterator[Observation]:
        for name, state in self._states().items():
            yield Observation(int(state.serves), {"part": name})

    def _certificates(self, _: CallbackOptions) -> Iterator[Observation]:
        folder = self._mesh.certificates.folder
        found = [("authority", path) for path in (folder / "authorities").glob("*.pem")]
        found.append(("authority", self._mesh.certificates.officer_authority))
        found += [(kind, path) for kind in _LEAVES for path in (folder / kind).glob("*.pem")]
        for kind, path in found:
            with suppress(CertificateUnusable):  # whoever uses it says so
                yield Observation(days_left(path), {"kind": kind, "certificate": path.stem})
        officers = []
        for path in (folder / "officer").glob("*.pem"):
            with suppress(CertificateUnusable):
                officers.append(days_left(path))
        if officers:
            yield Observation(min(officers), {"kind": "officer", "certificate": "officer"})

    def _disks(self, blocks: str) -> Iterator[Observation]:
        for volume, folder in self._volumes():
            with suppress(OSError):
                found = os.statvfs(folder)
                count = getattr(found, blocks) * found.f_frsize
                yield Observation(count, {"volume": volume})

    def _volumes(self) -> Iterator[tuple[str, Path]]:
        yield "data", self._mesh.home.path
        evidence = urlparse(self._mesh.services.addresses.evidence)
        if evidence.scheme in ("", "file"):
            yield "evidence", Path(unquote(evidence.path))
        if self._mesh.settings.database_url is None:
            yield "database", self._mesh.home.postgres
