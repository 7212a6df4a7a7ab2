"""Asks a running supervisor for its status over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tartip_cli.data_dir import DataDir
from tartip_cli.ports import LOOPBACK, Ports
from tartip_cli.supervisor.lock import running_mesh

_SECONDS = 10


def ask_status(home: DataDir) -> dict[str, Any] | None:
    """Return the status (`Supervisor.status`) of the mesh that runs from the data folder `home`.

    None if no mesh runs from this folder, or if the supervisor does not answer.
    """
    mesh = running_mesh(home)
    if mesh is None:
        return None
    ports = Ports(base=mesh.port_base, gateway=mesh.gateway_port)
    try:
        with urllib.request.urlopen(
            f"http://{LOOPBACK}:{ports.supervisor}/status", timeout=_SECONDS
        ) as answer:
            status: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return status
