"""The settings of the embedded run, read once from environment variables.

If the address of an external part is set (such as `TARTIP_DATABASE_URL`), the external part is
used. The embedded part of the same kind is then not started.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tartip_cli.failures import Exit, Failure

DEFAULT_PORT_BASE = 7100
DEFAULT_GATEWAY_PORT = 8080
_LEAF_SECONDS_MIN, _LEAF_SECONDS_MAX = 10, 366 * 86_400
OTLP_PROTOCOLS = ("http/protobuf", "grpc")
# Variables of OpenTelemetry that services read themselves, by the beginning of their names; each
# service has its own OTEL_SERVICE_NAME.
METRIC_EXPORT_INTERVAL = 15_000
_OTEL_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
_OTEL = ("OTEL_EXPORTER_OTLP_", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_LOGS_EXPORTER", _OTEL_INTERVAL)
_OTEL_FILES = tuple(
    f"OTEL_EXPORTER_OTLP_{name}" for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
)


SANDBOX = "sandbox"
SANDBOX_PORT_BASE = 7200
SANDBOX_GATEWAY_PORT = 8180
_NO_SANDBOX = (
    "TARTIP_CLOCK_OFFSET",
    "TARTIP_DATABASE_URL",
    "TARTIP_NATS_URL",
    "TARTIP_EVIDENCE_URL",
    "TARTIP_OIDC_ISSUER",
)
_WEBHOOKS = ("TARTIP_WEBHOOK_HOSTS", "TARTIP_WEBHOOK_CA", "TARTIP_ANSWER_UNDO_SECONDS")
_INFERENCE = ("TARTIP_PROBE_", "TARTIP_EVIDENCE_CHECK_")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of an embedded run; infra/local/README.md lists their environment variables."""

    home: Path
    checkout: Path
    port_base: int = DEFAULT_PORT_BASE
    gateway_port: int = DEFAULT_GATEWAY_PORT
    database_url: str | None = None
    nats_url: str | None = None
    """One address, or several of one cluster with commas between them."""
    nats_ca: Path | None = None
    """The authority of an external broker's servers, if it is not the services' authority."""
    nats_replicas: int = 1
    triton_url: str | None = None
    otlp_endpoint: str | None = None
    otlp_protocol: str = OTLP_PROTOCOLS[0]
    metric_export_interval: int = METRIC_EXPORT_INTERVAL
    """Milliseconds."""
    otel: Mapping[str, str] = field(default_factory=dict)
    """The variables of OpenTelemetry that services get as they are."""
    trace_ratio: float = 1.0
    """The share of reads that are traced; all else is."""
    metrics_address: tuple[str, int] | None = None
    """Host and first port of the services' own Prometheus endpoints."""
    evidence_url: str | None = None
    oidc_issuer: str | None = None
    vehicles_file: Path | None = None
    # The settings TARTIP_WEBHOOK_… of citizen-reports, as they are given.
    webhooks: Mapping[str, str] = field(default_factory=dict)
    # The settings TARTIP_PROBE_… and TARTIP_EVIDENCE_CHECK_… of inference-gateway, likewise.
    inference: Mapping[str, str] = field(default_factory=dict)
    erasures: Path | None = None
    wal_archive: Path | None = None
    photographs: Path | None = None
    heads_dir: Path = Path("~/.local/state/tartip/heads")
    """The folder, outside of `home`, in which signed heads of the audit logs are kept."""
    log_level: str = "INFO"
    environment: str = "embedded"
    clock_offset: dt.timedelta = dt.timedelta()
    """The offset of the services' clock from that of this machine."""
    assume_years: bool | None = None
    """Whether years without tables are derived from the last known year; None: in trial runs."""
    leaf_life: dt.timedelta | None = None
    """How long new certificates are valid, in trials; None: the usual time."""

    @property
    def erasures_folder(self) -> Path:
        """The folder with the lists of erasures, that is, of the ids of destroyed data keys.

        By default, this folder lies beside the data folder. The lists are then neither lost nor
        backed up together with the data.
        """
        return self.erasures or self.home.with_name(f"{self.home.name}-erasures")

    @property
    def is_trial(self) -> bool:
        """Whether `environment` is for trials. Only trials may use `clock_offset` and
        `assume_years`."""
        from chassis.settings import TRIALS  # pydantic takes its time to load

        return self.environment in TRIALS

    @property
    def assumes_years(self) -> bool:
        """Whether the working calendar and the base values of fines are assumed for unknown years.

        Unknown years then have the calendar and values of the last known year. True in trial runs,
        unless `assume_years` is False. Always False outside of trial runs.
        """
        return self.is_trial and self.assume_years is not False

    def exports_to(self, embedded: str) -> tuple[str, str]:
        """Return the OTLP endpoint to which the mesh sends its telemetry, and the OTLP protocol.

        If no endpoint is set, `embedded` is used, the endpoint of the supervisor's own receiver.
        """
        if self.otlp_endpoint is None:
            return embedded, OTLP_PROTOCOLS[0]
        return self.otlp_endpoint, self.otlp_protocol

    def allowed(self) -> Settings:
        """Return these settings unchanged.

        Raises Failure if a setting that is meant for trials is used outside a trial environment.
        """
        chosen = {
            "TARTIP_CLOCK_OFFSET": self.clock_offset,
            "TARTIP_ASSUME_YEARS": self.assume_years,
            "TARTIP_LEAF_SECONDS": self.leaf_life,
        }
        wrong = [name for name, value in chosen.items() if value]
        if wrong and not self.is_trial:
            raise Failure(
                f"{', '.join(wrong)}: for trials alone, refused with "
                f"TARTIP_ENVIRONMENT={self.environment}",
                Exit.USAGE,
            )
        return self


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`, by default the process's environment variables.

    Raises Failure if a variable has a wrong value (the message names it; exit code 2), or if the
    repository's checkout is not found.
    """
    env = os.environ if environ is None else environ
    checkout = find_checkout()
    home = env.get("TARTIP_HOME")
    vehicles = env.get("TARTIP_VEHICLES_FILE")
    photographs = env.get("TARTIP_PHOTOGRAPHS")
    erasures, wal_archive = env.get("TARTIP_ERASURES"), env.get("TARTIP_WAL_ARCHIVE")
    heads = env.get("TARTIP_HEADS_DIR") or Settings.heads_dir
    return Settings(
        home=Path(home).expanduser().absolute() if home else checkout / ".tartip",
        checkout=checkout,
        port_base=_port(env, "TARTIP_PORT_BASE", DEFAULT_PORT_BASE),
        gateway_port=_port(env, "TARTIP_GATEWAY_PORT", DEFAULT_GATEWAY_PORT),
        database_url=env.get("TARTIP_DATABASE_URL") or None,
        nats_url=env.get("TARTIP_NATS_URL") or None,
        nats_ca=_file(env, "TARTIP_NATS_CA"),
        nats_replicas=_replicas(env),
        triton_url=env.get("TARTIP_TRITON_URL") or None,
        otlp_endpoint=env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None,
        otlp_protocol=_protocol(env),
        metric_export_interval=_milliseconds(env, _OTEL_INTERVAL),
        otel=_otel(env),
        trace_ratio=_ratio(env, "TARTIP_TRACE_RATIO"),
        metrics_address=_address(env, "TARTIP_METRICS_ADDRESS"),
        evidence_url=env.get("TARTIP_EVIDENCE_URL") or None,
        oidc_issuer=env.get("TARTIP_OIDC_ISSUER") or None,
        vehicles_file=Path(vehicles) if vehicles else None,
        webhooks={name: env[name] for name in _WEBHOOKS if name in env},
        inference={name: env[name] for name in env if name.startswith(_INFERENCE)},
        erasures=Path(erasures).expanduser().absolute() if erasures else None,
        wal_archive=Path(wal_archive).expanduser().absolute() if wal_archive else None,
        photographs=Path(photographs) if photographs else None,
        heads_dir=Path(heads).expanduser().absolute(),
        log_level=env.get("TARTIP_LOG_LEVEL", "INFO"),
        environment=env.get("TARTIP_ENVIRONMENT", "embedded"),
        clock_offset=_offset(env.get("TARTIP_CLOCK_OFFSET")),
        assume_years=_switch(env, "TARTIP_ASSUME_YEARS"),
        leaf_life=_seconds(env, "TARTIP_LEAF_SECONDS"),
    ).allowed()


def read_sandbox_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a sandbox: those of `read_settings`, with a data folder and ports of its
    own, so that a sandbox can run beside an ordinary mesh.

    Raises Failure, too, if a variable is set that a sandbox does not take: its clock is moved, so
    it has a database, a broker and an evidence store of its own.
    """
    env = os.environ if environ is None else environ
    if wrong := [name for name in _NO_SANDBOX if env.get(name)]:
        raise Failure(
            f"{', '.join(wrong)}: a sandbox has its own, and its clock is moved while it runs",
            Exit.USAGE,
        )
    if env.get("TARTIP_ENVIRONMENT", SANDBOX) != SANDBOX:
        raise Failure(
            f"TARTIP_ENVIRONMENT={env['TARTIP_ENVIRONMENT']}: no sandbox runs there", Exit.USAGE
        )
    return read_settings(
        {
            "TARTIP_HOME": str(find_checkout() / ".tartip-sandbox"),
            "TARTIP_PORT_BASE": str(SANDBOX_PORT_BASE),
            "TARTIP_GATEWAY_PORT": str(SANDBOX_GATEWAY_PORT),
            **env,
            "TARTIP_ENVIRONMENT": SANDBOX,
        }
    )


def inherited_environment() -> dict[str, str]:
    """The environment variables that child processes inherit: PATH, HOME, locale and the like.

    The settings of the mesh (`TARTIP_*`) are not among them.
    """
    inherited = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER")
    return {name: os.environ[name] for name in inherited if name in os.environ}


def find_checkout() -> Path:
    """The root of the repository's checkout, recognised by its file `infra/nats/streams.yaml`.

    The search covers the folders above this file, then the current directory and those above it.
    Raises Failure if the root is not found.
    """
    here = Path(__file__).resolve()
    current = Path.cwd()
    for folder in (*here.parents, current, *current.parents):
        if (folder / "infra" / "nats" / "streams.yaml").is_file():
            return folder
    raise Failure(
        "cannot find infra/nats/streams.yaml: run tartip inside a checkout of the repository",
        Exit.MISSING_REQUIREMENT,
    )


def _protocol(env: Mapping[str, str]) -> str:
    text = env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or OTLP_PROTOCOLS[0]
    if text not in OTLP_PROTOCOLS:
        known = " nor ".join(OTLP_PROTOCOLS)
        raise Failure(f"OTEL_EXPORTER_OTLP_PROTOCOL={text} is neither {known}", Exit.USAGE)
    return text


def _otel(env: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in env.items() if name.startswith(_OTEL) and value}
    for name in set(_OTEL_FILES) & set(found):
        path = Path(found[name]).expanduser().absolute()
        if not path.is_file():
            raise Failure(f"{name}: there is no file {path}", Exit.USAGE)
        found[name] = str(path)
    return found


def _milliseconds(env: Mapping[str, str], name: str) -> int:
    text = env.get(name) or str(METRIC_EXPORT_INTERVAL)
    if not re.fullmatch("[1-9][0-9]{2,6}", text):
        raise Failure(f"{name}={text} is not a number of milliseconds from 100 on", Exit.USAGE)
    return int(text)


def _ratio(env: Mapping[str, str], name: str) -> float:
    text = env.get(name) or "1"
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise Failure(f"{name}={text} is not a number between 0 and 1", Exit.USAGE)
    return ratio


def _address(env: Mapping[str, str], name: str) -> tuple[str, int] | None:
    text = env.get(name)
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 1024 <= int(port) <= 65000:
        raise Failure(f"{name}={text} is not host:port with a port from 1024", Exit.USAGE)
    return host, int(port)


def _offset(text: str | None) -> dt.timedelta:
    if not text:
        return dt.timedelta()
    from chassis.settings import parse_offset  # pydantic takes its time to load

    try:
        return parse_offset(text)
    except ValueError as error:
        raise Failure(f"TARTIP_CLOCK_OFFSET: {error}", Exit.USAGE) from error


def _switch(env: Mapping[str, str], name: str) -> bool | None:
    text = env.get(name)
    if not text:
        return None
    if text not in ("0", "1"):
        raise Failure(f"{name}={text} is neither 0 nor 1", Exit.USAGE)
    return text == "1"


def _seconds(env: Mapping[str, str], name: str) -> dt.timedelta | None:
    text = env.get(name)
    if not text:
        return None
    if not text.isdigit() or not _LEAF_SECONDS_MIN <= int(text) <= _LEAF_SECONDS_MAX:
        raise Failure(
            f"{name}={text} is not a number of seconds from {_LEAF_SECONDS_MIN} to "
            f"{_LEAF_SECONDS_MAX}",
            Exit.USAGE,
        )
    return dt.timedelta(seconds=int(text))


def _file(env: Mapping[str, str], name: str) -> Path | None:
    text = env.get(name)
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise Failure(f"{name}={text}: there is no such file", Exit.USAGE)
    return path


def _replicas(env: Mapping[str, str]) -> int:
    text = env.get("TARTIP_NATS_REPLICAS") or "1"
    if text not in ("1", "3", "5"):
        raise Failure(f"TARTIP_NATS_REPLICAS={text} is none of 1, 3 and 5", Exit.USAGE)
    if text != "1" and not env.get("TARTIP_NATS_URL"):
        raise Failure(
            f"TARTIP_NATS_REPLICAS={text} needs a cluster of NATS: set TARTIP_NATS_URL to its "
            "addresses (`tartip nats accounts` prints what it needs)",
            Exit.USAGE,
        )
    return int(text)


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isdigit() or not 1024 <= int(text) <= 65000:
        raise Failure(f"{name}={text} is not a port between 1024 and 65000", Exit.USAGE)
    return int(text)
