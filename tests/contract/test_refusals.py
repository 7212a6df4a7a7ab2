"""A refusal is part of the contract: what code can answer stands in proto, and the other way."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import grpc
import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bOVERLOADED\b|\bINTERNAL\b")
STATUSES = {status.name for status in grpc.StatusCode}
AREA_OF = {
    "camera-registry": "cameras",
    "inference-gateway": "inference",
    "violations": "violations",
    "fines": "fines",
    "citizen-reports": "reports",
}


def codes_in_code(*folders: Path) -> dict[str, str]:
    """Every code of a Refusal class and of a wrong field, and where it stands."""
    found: dict[str, str] = {}
    for path in (p for folder in folders for p in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            for code in _codes(node):
                found[code] = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
    return found


def _codes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef):
        assigned = [line for line in node.body if isinstance(line, ast.Assign | ast.AnnAssign)]
        return [
            line.value.value
            for line in assigned
            if "code" in _targets(line)
            and isinstance(line.value, ast.Constant)
            and isinstance(line.value.value, str)
            and line.value.value.isupper()
        ]
    if isinstance(node, ast.Call):
        values = [word.value for word in node.keywords if word.arg == "code"]
        constants = [v.value for v in values if isinstance(v, ast.Constant)]
        return [value for value in constants if isinstance(value, str) and CODE.fullmatch(value)]
    return []


def _targets(line: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = line.targets if isinstance(line, ast.Assign) else [line.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def codes_in_proto(area: str) -> set[str]:
    """Upper-case names in the comments of an area's RPCs, without gRPC's own status names."""
    found: set[str] = set()
    for path in sorted((ROOT / "proto" / "tartip" / area).rglob("*.proto")):
        text = path.read_text()
        enums = set(re.findall(r"^\s+([A-Z][A-Z0-9_]+) = \d+;", text, re.MULTILINE))
        comments = "\n".join(re.findall(r"//(.*)", _reasons(text, area)))
        found |= set(CODE.findall(comments)) - STATUSES - enums
    return found | ({"INTERNAL"} if area == "common" else set())


def _reasons(text: str, area: str) -> str:
    """Comments from "Reasons:" on; all of it for the area that lists what any RPC may answer."""
    if area == "common":
        return text.partition("Reasons that any RPC may answer:")[2].partition("syntax")[0]
    blocks = re.findall(r"((?:^\s*//.*\n)+)\s*rpc ", text, re.MULTILINE)
    return "\n".join(block.partition("Reasons:")[2].join(["//", ""]) for block in blocks)


SHARED = codes_in_proto("common")
SHARED_BY = ("chassis", "law", "partners")


@pytest.mark.parametrize("service", AREA_OF)
def test_every_refusal_of_a_service_stands_in_its_contract(service: str) -> None:
    used = codes_in_code(ROOT / "services" / service / "src")
    documented = codes_in_proto(AREA_OF[service]) | SHARED
    missing = {code: where for code, where in used.items() if code not in documented}
    assert not missing, f"say in proto/tartip/{AREA_OF[service]} when it is answered: {missing}"


@pytest.mark.parametrize("service", AREA_OF)
def test_every_documented_refusal_can_be_answered(service: str) -> None:
    shared = codes_in_code(*(ROOT / "libs" / library / "src" for library in SHARED_BY))
    used = codes_in_code(ROOT / "services" / service / "src").keys() | shared.keys()
    never = codes_in_proto(AREA_OF[service]) - used
    assert not never, f"documented for {service}, but nothing answers it: {sorted(never)}"


def test_every_refusal_of_partners_stands_in_a_contract() -> None:
    used = codes_in_code(ROOT / "libs" / "partners" / "src").keys()
    documented = codes_in_proto("partners") | codes_in_proto("reports") | SHARED
    assert used <= documented, sorted(used - documented)
    assert codes_in_proto("partners") - SHARED <= used


def test_every_refusal_of_the_chassis_stands_in_the_common_contract() -> None:
    edge_only = {"BODY_TOO_LARGE", "BODY_TOO_SLOW", "REFUSED"}
    used = codes_in_code(ROOT / "libs" / "chassis" / "src").keys() - edge_only
    assert used <= SHARED | codes_in_proto("audit"), sorted(used - SHARED)
