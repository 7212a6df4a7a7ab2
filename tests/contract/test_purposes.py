"""A purpose is demanded exactly where the contract says so, and by the gate alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from audit_log.api import POLICY as AUDIT
from audit_log.witnesses import POLICY as WITNESSES
from camera_registry.grpc_api import POLICY as CAMERAS
from camera_registry.grpc_hubs import POLICY as HUBS
from chassis.identity import Allow
from citizen_reports.grpc_api import (
    ANSWERS_POLICY,
    APPS_POLICY,
    COMPLAINTS_POLICY,
    DESK_POLICY,
    PERSONNEL_POLICY,
    RETENTION_POLICY,
    ROUTING_POLICY,
)
from fines.grpc_api.desk import POLICY as FINES
from fines.grpc_api.payments import POLICY as FINE_PAYMENTS
from inference_gateway.camera_rules.grpc_api import POLICY as FUNCTIONS
from inference_gateway.grpc_api import POLICY as INFERENCE
from inference_gateway.streams.grpc_api import POLICY as STREAMS
from inference_gateway.watchlists.grpc_api import POLICY as WATCHLISTS
from partners.api import POLICY as PARTNERS
from violations.grpc_api import POLICY as VIOLATIONS

ROOT = Path(__file__).resolve().parents[2]
POLICIES: Mapping[str, Allow] = {
    **CAMERAS,
    **HUBS,
    **AUDIT,
    **APPS_POLICY,
    **DESK_POLICY,
    **ANSWERS_POLICY,
    **COMPLAINTS_POLICY,
    **PERSONNEL_POLICY,
    **ROUTING_POLICY,
    **RETENTION_POLICY,
    **FINE_PAYMENTS,
    **FINES,
    **FUNCTIONS,
    **INFERENCE,
    **PARTNERS,
    **STREAMS,
    **WATCHLISTS,
    **VIOLATIONS,
    **WITNESSES,
}
SERVICE = re.compile(r"^service (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
RPC = re.compile(r"((?:^\s*//.*\n)+)\s*rpc (\w+)\(", re.MULTILINE)


def documented() -> dict[str, bool]:
    """Every method, and whether its comment names PURPOSE_REQUIRED."""
    found = {}
    for path in sorted((ROOT / "proto" / "tartip").rglob("*.proto")):
        text = path.read_text()
        package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)
        assert package is not None
        for service, body in SERVICE.findall(text):
            for comment, method in RPC.findall(body):
                name = f"/{package.group(1)}.{service}/{method}"
                found[name] = "PURPOSE_REQUIRED" in comment
    return found


def test_every_method_is_in_both() -> None:
    assert set(documented()) == set(POLICIES)


@pytest.mark.parametrize("method", sorted(POLICIES))
def test_a_purpose_is_demanded_where_the_contract_says_so(method: str) -> None:
    assert POLICIES[method].purpose == documented()[method]


def test_no_service_has_a_rule_of_its_own() -> None:
    for path in (ROOT / "services").glob("*/src/**/*.py"):
        assert "PURPOSE_REQUIRED" not in path.read_text(), path
