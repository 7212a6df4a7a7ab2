"""Sets up and shuts down the OpenTelemetry providers of a process."""

import logging
import sys
import threading
import time
import uuid
from importlib.metadata import PackageNotFoundError, version
from socket import gethostname

from chassis.settings import Settings
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from host.telemetry.exporters import Destination
from host.telemetry.log_lines import ExportedLogs, JsonLines
from host.telemetry.sampling import JourneySampler, KeptAfterAll

# Namespace of ids made of a service's name and address, as the semantic conventions give it.
_INSTANCES = uuid.UUID("4d63009a-8d0f-11ee-aad7-4c796ed8e320")
_CHATTY = ("httpx", "nats", "opentelemetry", "grpc", "chassis.db.CountingPool")


def set_up(service: str, settings: Settings) -> None:
    """Set up logs, traces and metrics; call it once per process.

    Without an OTLP endpoint in `settings` nothing is sent by OTLP. OTEL_RESOURCE_ATTRIBUTES may add
    attributes to the resource, but cannot change the names of the service and its instance.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    resource = resource_of(service, settings.environment, settings.listens_on)
    # Whatever the caller's traceparent asks for: a stranger must not be able to act unseen.
    traces = TracerProvider(resource=resource, sampler=JourneySampler(settings.trace_ratio))
    readers: list[MetricReader] = []
    if settings.otlp_endpoint:
        destination = Destination(settings.otlp_endpoint, settings.otlp_protocol)
        traces.add_span_processor(KeptAfterAll(_batches(destination)))
        readers.append(periodic(destination, settings.metric_export_interval))
        if settings.logs_exporter == "otlp":
            _export_logs(resource, destination)
    if settings.metrics_address:
        from host.telemetry.exposition import serve  # loaded where it is asked for alone

        readers.append(serve(settings.metrics_address))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=readers))


def resource_of(service: str, environment: str, address: str) -> Resource:
    """Return the OpenTelemetry resource of a process: names, version and an instance id.

    The instance id is the same after each start of the same service on the same host and address,
    so that the process's series of metrics continue. It is random if `address` is "".
    """
    place = f"{gethostname()}/{service}/{address}"
    instance = uuid.uuid5(_INSTANCES, place) if address else uuid.uuid4()
    try:
        released = version(f"tartip-{service}")
    except PackageNotFoundError:
        released = version("tartip-host")
    return Resource.create(
        {
            "service.name": service,
            "service.namespace": "tartip",
            "service.version": released,
            "service.instance.id": str(instance),
            "deployment.environment.name": environment,
        }
    )


def periodic(destination: Destination, milliseconds: int) -> MetricReader:
    """Return a reader that exports all metrics to `destination` every so many milliseconds."""
    return PeriodicExportingMetricReader(
        destination.metric_exporter(), export_interval_millis=milliseconds
    )


def _batches(destination: Destination) -> BatchSpanProcessor:
    return BatchSpanProcessor(
        destination.span_exporter(),
        max_queue_size=4096,
        schedule_delay_millis=500,
        max_export_batch_size=128,
    )


def _export_logs(resource: Resource, destination: Destination) -> None:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(destination.log_exporter()))
    set_logger_provider(provider)
    logging.getLogger().addHandler(ExportedLogs(provider))


def shut_down(bound_seconds: float = 3.0) -> None:
    """Send the logs, spans and metrics that are not sent yet, then stop sending for good.

    Call it when the process ends. Data go to the OTLP endpoint that `set_up` was given. The call
    returns when all is sent, or after `bound_seconds`. What is unsent by then may be lost, except
    that logs have also been printed on stdout.
    """
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider())
    stops = [getattr(provider, "shutdown", None) for provider in providers]
    workers = [threading.Thread(target=stop, daemon=True) for stop in stops if stop is not None]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + bound_seconds
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
