"""The settings of the embedded run, read once from environment variables.

If the address of an external part is set (such as `TARTIP_DATABASE_URL`), that part is used and the
embedded part of the same kind is not started.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.failures import Exit, Failure

DEFAULT_PORT_BASE = 7100
DEFAULT_GATEWAY_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings; infra/local/README.md lists the variables."""

    home: Path
    checkout: Path
    port_base: int = DEFAULT_PORT_BASE
    gateway_port: int = DEFAULT_GATEWAY_PORT
    database_url: str | None = None
    nats_url: str | None = None
    triton_url: str | None = None
    otlp_endpoint: str | None = None
    evidence_url: str | None = None
    oidc_issuer: str | None = None
    vehicles_file: Path | None = None
    photographs: Path | None = None
    heads_dir: Path = Path("~/.local/state/tartip/heads")
    """The folder, outside of `home`, in which signed heads of the audit logs are kept."""
    log_level: str = "INFO"
    environment: str = "embedded"
    clock_offset: dt.timedelta = dt.timedelta()
    """The offset of the services' clock from that of this machine."""
    assume_years: bool | None = None
    """Whether years without tables are derived from the last known ones; unset, in trial runs."""

    @property
    def is_trial(self) -> bool:
        """Whether `environment` is for trials, which may use `clock_offset` and `assume_years`."""
        from chassis.settings import TRIALS  # pydantic takes its time to load

        return self.environment in TRIALS

    @property
    def assumes_years(self) -> bool:
        """Whether a year's working calendar and base values, if unknown, are assumed from the last
        known year.

        True in trial runs, unless `assume_years` is False; always False outside of them.
        """
        return self.is_trial and self.assume_years is not False

    def allowed(self) -> Settings:
        """Return these settings. Raises Failure if trial settings are used outside a trial
        environment.
        """
        chosen = {
            "TARTIP_CLOCK_OFFSET": self.clock_offset,
            "TARTIP_ASSUME_YEARS": self.assume_years,
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
    heads = env.get("TARTIP_HEADS_DIR") or Settings.heads_dir
    return Settings(
        home=Path(home).expanduser().absolute() if home else checkout / ".tartip",
        checkout=checkout,
        port_base=_port(env, "TARTIP_PORT_BASE", DEFAULT_PORT_BASE),
        gateway_port=_port(env, "TARTIP_GATEWAY_PORT", DEFAULT_GATEWAY_PORT),
        database_url=env.get("TARTIP_DATABASE_URL") or None,
        nats_url=env.get("TARTIP_NATS_URL") or None,
        triton_url=env.get("TARTIP_TRITON_URL") or None,
        otlp_endpoint=env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None,
        evidence_url=env.get("TARTIP_EVIDENCE_URL") or None,
        oidc_issuer=env.get("TARTIP_OIDC_ISSUER") or None,
        vehicles_file=Path(vehicles) if vehicles else None,
        photographs=Path(photographs) if photographs else None,
        heads_dir=Path(heads).expanduser().absolute(),
        log_level=env.get("TARTIP_LOG_LEVEL", "INFO"),
        environment=env.get("TARTIP_ENVIRONMENT", "embedded"),
        clock_offset=_offset(env.get("TARTIP_CLOCK_OFFSET")),
        assume_years=_switch(env, "TARTIP_ASSUME_YEARS"),
    ).allowed()


def inherited_environment() -> dict[str, str]:
    """The environment variables that child processes inherit: PATH, HOME, locale and the like.

    The settings of the mesh (`TARTIP_*`) are not among them.
    """
    inherited = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER")
    return {name: os.environ[name] for name in inherited if name in os.environ}


def find_checkout() -> Path:
    """The root of the repository's checkout, recognised by its file `infra/nats/streams.yaml`.

    The root is searched among the folders above this file, then in the current directory and those
    above it. Raises Failure if it is not found.
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


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isdigit() or not 1024 <= int(text) <= 65000:
        raise Failure(f"{name}={text} is not a port between 1024 and 65000", Exit.USAGE)
    return int(text)
