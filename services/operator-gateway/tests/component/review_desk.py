"""The review desk's three cases, and an inspector before them."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tartip.violations.v1 import violations_pb2

from .browser import Console, OpenConsole
from .peers import a_violation

CASES = ("violation-1", "violation-2", "violation-3")
CONFIRMED = violations_pb2.VIOLATION_STATE_CONFIRMED
EVIDENCE = "**/v1/violations/*/evidence/**"


def each_violation(**changes: Any) -> dict[str, violations_pb2.Violation]:
    """Three that differ in what an inspector sees."""
    plates = ("777ABA02", "123KZT05", "045TAR16")
    found = {case: a_violation(case, **changes) for case in CASES}
    for violation, plate in zip(found.values(), plates, strict=True):
        violation.plate.text = plate
    return found


async def at_desk(console: OpenConsole, *, with_key: bool = True) -> Console:
    """An inspector with a purpose and a key before three cases, none of them open."""
    desk = await console("inspector-almaty", "violations")
    if with_key:
        await desk.pick_key()
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    return desk


def check_signed(desk: Console, violation_id: str, part: bytes) -> None:
    """What arrived is signed by the officer's key over exactly the prepared bytes."""
    decision = desk.signed()[-1]
    assert decision.violation_id == violation_id
    assert part in decision.canonical and violation_id.encode() in decision.canonical
    key = x509.load_pem_x509_certificate(decision.certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(decision.signature, decision.canonical, ec.ECDSA(hashes.SHA256()))
