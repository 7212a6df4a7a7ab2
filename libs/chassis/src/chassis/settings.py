"""Settings common to all services: names, addresses and files, nothing of a service's domain.

A service subclasses `Settings` to add fields. Values come from environment variables with the
prefix TARTIP_, except those of OpenTelemetry (OTEL_…). The fields that `for_trials_alone` names may
be set only in the environments `TRIALS`; elsewhere the process refuses to start.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TARTIP_"
# The values of TARTIP_ENVIRONMENT in which nobody is fined in earnest; a new name is none of them.
TRIALS = frozenset({"embedded", "sandbox"})
OFFSET_MAX = timedelta(days=36525)
_duration = TypeAdapter(timedelta)


def parse_offset(value: Any) -> timedelta:
    """Parse a number of seconds ("3600", "-86400") or an ISO 8601 duration ("P48D", "-PT12H").

    Raises ValueError for anything else, and for more than a hundred years in either direction.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().upper()
    try:
        is_iso = text.lstrip("+-").startswith("P")
        offset = _duration.validate_python(text) if is_iso else timedelta(seconds=float(text))
    except (ValidationError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{value!r} is neither a number of seconds nor an ISO 8601 duration such as P48D"
        ) from error
    if abs(offset) > OFFSET_MAX:
        raise ValueError(f"{value!r} is more than a hundred years")
    return offset


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")
    for_trials_alone: ClassVar[tuple[str, ...]] = ("clock_offset",)

    environment: str = "embedded"
    log_level: str = "INFO"
    # The log-ins for calls, for those of the desk, for work and for sealing (see `host.databases`).
    database_url: str = ""
    desk_database_url: str = ""
    work_database_url: str = ""
    seal_database_url: str = ""
    owner_database_url: str = ""
    # One address, or several of a cluster, with commas; who certifies them, where not `tls_ca`.
    nats_url: str = ""
    nats_ca: Path | None = None
    nats_seed_file: Path | None = None
    tls_cert: Path = Path()
    tls_key: Path = Path()
    # Who certifies the servers that this service calls.
    tls_ca: Path = Path()
    # A folder: who certifies its callers, <kind>.pem for each kind (see authorities).
    tls_client_authorities: Path = Path()
    grpc_address: str = ""
    keys_dir: Path = Path()
    # Where the ids of destroyed data keys are listed, outside the database and its backups.
    erasures: Path | None = None
    oidc_issuer: str = ""
    otlp_endpoint: str = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otlp_protocol: Literal["grpc", "http/protobuf"] = Field(
        "http/protobuf", validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    # Milliseconds.
    metric_export_interval: int = Field(
        15_000, ge=100, validation_alias="OTEL_METRIC_EXPORT_INTERVAL"
    )
    logs_exporter: Literal["otlp", "none"] = Field("otlp", validation_alias="OTEL_LOGS_EXPORTER")
    # Of reads alone; see `host.telemetry.sampling`.
    trace_ratio: float = Field(1.0, ge=0.0, le=1.0)
    # "host:port" of a Prometheus endpoint of this process; "" for none.
    metrics_address: str = ""
    seal_every_seconds: float = 60.0
    # How far the time of the services is from the host's; see `clock`.
    clock_offset: Annotated[timedelta, BeforeValidator(parse_offset)] = timedelta()

    @property
    def listens_on(self) -> str:
        """The address ("host:port") at which this process serves calls; "" if it serves none."""
        return self.grpc_address

    @model_validator(mode="after")
    def _is_no_trial_in_earnest(self) -> "Settings":
        chosen = [name for name in self.for_trials_alone if getattr(self, name)]
        if chosen and self.environment not in TRIALS:
            named = ", ".join(PREFIX + name.upper() for name in chosen)
            raise ValueError(
                f"{named}: for trials alone ({PREFIX}ENVIRONMENT {' or '.join(sorted(TRIALS))}), "
                f"refused with {PREFIX}ENVIRONMENT={self.environment}"
            )
        return self


S = TypeVar("S", bound=Settings)


def read(settings: type[S]) -> S:
    """Return settings read from the environment; exit with a message that names wrong variables."""
    try:
        return settings()
    except ValidationError as error:
        wrong = [_described(found["loc"], found["msg"]) for found in error.errors()]
        raise SystemExit("; ".join(wrong)) from error


def _described(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])  # a field's, or a variable's that has a name of its own
    return f"{name if name.isupper() else PREFIX + name.upper()}: {message}"
