"""Runs Debian's Prometheus on a mesh's metrics, with the repository's alert rules.

Times in the rules are shortened, so that alerts fire within a test.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from chassis.clock import real_clock
from tartip_cli.alerts.objectives import read_objectives
from tartip_cli.alerts.rules import rules
from tartip_cli.parts.part import launched
from tartip_cli.ports import LOOPBACK
from tartip_cli.settings import find_checkout, inherited_environment

from tartip_testing.mesh import wait_until

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Windows become fifteen times as short, within these bounds: samples come once a second.
SHORTEST, LONGEST = 20, 60
# Seconds, in place of the limits of the alerts. The audit log is sealed once a minute.
LIMITS = {
    "TartipAuditNotSealed": 75.0,
    "TartipWorkOverdue": 5.0,
    "TartipEventsNotPublished": 5.0,
    "TartipEvidenceCheckBehind": 5.0,
}
QUIET_SECONDS = 150.0
EVIDENCE = "evidence"


class Prometheus:
    """A running Prometheus, with methods that query it and wait for alerts."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire. Of disks, the one of the evidence counts alone:
        tests fill that one, while the others belong to the machine and may fill up in truth."""
        alerts = (await self._get("alerts"))["alerts"]
        return {
            one["labels"]["alertname"]
            for one in alerts
            if one["state"] == "firing" and one["labels"].get("volume", EVIDENCE) == EVIDENCE
        }

    async def range(self, query: str, *, seconds: float) -> list[dict[str, Any]]:
        """Return the time series for a PromQL query over the last `seconds`, with one value per 2
        s.

        Each time series is a dict as in Prometheus's HTTP API, with the keys "metric" and "values".
        """
        end = real_clock().timestamp()
        found = await self._get("query_range", query=query, start=end - seconds, end=end, step=2)
        series: list[dict[str, Any]] = found["result"]
        return series

    async def _get(self, what: str, **parameters: str | float) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"{self._url}/api/v1/{what}", params=parameters)
        data: dict[str, Any] = answer.raise_for_status().json()["data"]
        return data

    async def until_all_fire(self, names: set[str], *, seconds: float) -> float:
        """Wait until each of these alerts has fired once. Returns the seconds that this took.

        Raises AssertionError if it takes longer than `seconds`.
        """
        began, missing = time.monotonic(), set(names)
        while missing := missing - await self.firing():
            assert time.monotonic() < began + seconds, f"did not fire: {sorted(missing)}"
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    async def fired_within(self, seconds: float, name: str) -> set[str]:
        """Return a set with the alert's name if the alert fires within `seconds`, otherwise an
        empty set."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if name in await self.firing():
                return {name}
            await asyncio.sleep(0.5)
        return set()

    async def until_none_fires(self, names: set[str]) -> float:
        """Wait until none of these alerts fires any more. Returns the seconds that this took.

        Raises AssertionError if it takes longer than QUIET_SECONDS.
        """
        began = time.monotonic()
        while still := names & await self.firing():
            assert time.monotonic() < began + QUIET_SECONDS, f"still fire: {sorted(still)}"
            await asyncio.sleep(0.5)
        return time.monotonic() - began


@contextmanager
def prometheus(folder: Path, metrics_port: int) -> Iterator[Prometheus]:
    """Run Prometheus during the block, with its files in the empty folder `folder`.

    Prometheus reads `/metrics` on this local port once a second. The test is skipped if Prometheus
    is not installed.
    """
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("left out: Prometheus is not installed (Debian: apt-get install prometheus)")
    folder.joinpath("rules.yaml").write_text(yaml.safe_dump(shortened_rules()))
    job = {"job_name": "tartip", "static_configs": [{"targets": [f"{LOOPBACK}:{metrics_port}"]}]}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [job],
    }
    folder.joinpath("prometheus.yaml").write_text(yaml.safe_dump(configuration))
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    command = (
        program,
        "--config.file=prometheus.yaml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={LOOPBACK}:{port}",
    )
    with folder.joinpath("prometheus.log").open("wb") as output:
        process = subprocess.Popen(
            launched(command, user=None, death_signal=signal.SIGTERM),
            cwd=folder,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://{LOOPBACK}:{port}"
        wait_until(lambda: _is_ready(url), seconds=30)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def shortened_rules() -> dict[str, Any]:
    objectives = read_objectives(find_checkout() / "infra" / "otel" / "objectives.yaml")
    alerts = [
        replace(alert, limit=LIMITS.get(alert.name, alert.limit)) for alert in objectives.alerts
    ]
    made = rules(replace(objectives, alerts=tuple(alerts)))
    for group in made["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"\[(\d+)([smhd])\]", _shorter, rule["expr"])
            if "for" in rule:
                rule["for"] = "2s" if rule["for"] != "0m" else "0s"
    return made


def _shorter(window: re.Match[str]) -> str:
    seconds = int(window[1]) * SECONDS[window[2]] / 15
    return f"[{max(SHORTEST, min(LONGEST, seconds)):.0f}s]"
