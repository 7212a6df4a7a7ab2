"""Renews the certificates of a running mesh and reports how long each remains valid."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from host.certificates import CertificateUnusable, days_left, ends_at, share_left

from tartip_cli.failures import Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.provision.certificates import Certificates

_CHECK_SECONDS = 60.0
_CHECKS_OF_A_LIFE = 20
# By then a renewal at half of the life has failed for a while.
_WARNED_BELOW = 1 / 3

log = logging.getLogger(__name__)


async def keep_renewed(mesh: Mesh, on_renewal: Callable[[list[str]], None]) -> None:
    """Renew certificates past half of their validity, and missing or damaged ones, until cancelled;
    write missing or malformed revocation lists again.

    `on_renewal` gets the names ("kind/name") of the renewed certificates. A failed renewal is
    logged and tried again at the next check, at most a minute later.
    """
    certificates = mesh.certificates
    pause = min(_CHECK_SECONDS, certificates.leaf_life / dt.timedelta(seconds=_CHECKS_OF_A_LIFE))
    while True:
        await asyncio.sleep(pause)
        try:
            for kind in await asyncio.to_thread(certificates.restore_lists):
                log.error("the revocation list for %s certificates was written again", kind)
            renewed = await asyncio.to_thread(certificates.renew_due)
        except (Failure, OSError) as error:
            log.error("certificates are not renewed: %s", error)
            continue
        if renewed:
            log.info("renewed: %s", ", ".join(renewed))
            on_renewal(renewed)


def certificate_states(certificates: Certificates) -> list[dict[str, Any]]:
    """Return the state of each certificate, as a dict.

    The keys are "name" ("kind/name"), "ends" (ISO 8601), "days_left" and "ends_soon". The last one
    is True if less than a third of the validity is left. For a damaged certificate, "ends" and
    "days_left" are None and "ends_soon" is True.
    """
    return [
        {"name": f"{kind}/{name}", **_state(path)} for kind, name, path in certificates.leaves()
    ]


def ending_soon(states: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a notice ("code", "text", "certificate") for each state whose "ends_soon" is True."""
    return [
        {
            "code": "CERTIFICATE_ENDS_SOON",
            "text": _warning(state),
            "certificate": state["name"],
        }
        for state in states
        if state["ends_soon"]
    ]


def _state(path: Path) -> dict[str, Any]:
    try:
        return {
            "ends": ends_at(path).isoformat(),
            "days_left": round(days_left(path), 5),
            "ends_soon": share_left(path) < _WARNED_BELOW,
        }
    except CertificateUnusable:
        return {"ends": None, "days_left": None, "ends_soon": True}


def _warning(state: dict[str, Any]) -> str:
    name, days = state["name"], state["days_left"]
    kind = name.partition("/")[0]
    do = "replace it" if kind == "partner" else "it should have been renewed: `tartip logs`"
    if days is None:
        return f"The certificate of {name} is damaged; {do}."
    if days < 0:
        return f"The certificate of {name} ended {-days:.1f} days ago; {do}."
    return f"The certificate of {name} ends in {days:.1f} days; {do}."
