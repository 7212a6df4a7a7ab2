"""What every service is told from outside: names, addresses and files, nothing of its domain.

A service subclasses `Settings` with its own few fields. Values come from the environment with the
prefix TARTIP_; the collector's address has OpenTelemetry's own name.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TARTIP_", frozen=True, extra="ignore")

    environment: str = "embedded"
    log_level: str = "INFO"
    database_url: str = ""
    owner_database_url: str = ""
    nats_url: str = ""
    nats_seed_file: Path | None = None
    tls_cert: Path = Path()
    tls_key: Path = Path()
    # Who certifies the servers that this service calls.
    tls_ca: Path = Path()
    # A folder: who certifies its callers, <kind>.pem for each kind (see authorities).
    tls_client_authorities: Path = Path()
    grpc_address: str = ""
    keys_dir: Path = Path()
    oidc_issuer: str = ""
    otlp_endpoint: str = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    seal_every_seconds: float = 60.0
