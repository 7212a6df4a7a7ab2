"""Leaf certificates are renewed at half of their life, and when they are damaged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from chassis.clock import real_clock
from cryptography import x509
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.certificates import Certificates
from tartip_cli.settings import read_settings
from tartip_cli.supervisor.certificates import certificate_states, ending_soon

LIFE = dt.timedelta(days=10)


@pytest.fixture
def held(tmp_path: Path) -> Certificates:
    certificates = Certificates(tmp_path, LIFE)
    certificates.renew()
    return certificates


def later(part: float) -> time_machine.travel:
    return time_machine.travel(real_clock() + part * LIFE, tick=False)


def contents(held: Certificates) -> dict[str, bytes]:
    return {f"{kind}/{name}": path.read_bytes() for kind, name, path in held.leaves()}


def test_nothing_is_renewed_before_half_of_its_life(held: Certificates) -> None:
    with later(0.48):
        assert held.renew_due() == []


def test_all_are_renewed_at_half_of_their_life_but_tritons_that_lives_longer(
    held: Certificates,
) -> None:
    before = contents(held)
    with later(0.52):
        renewed = held.renew_due()
        assert held.renew_due() == []
    after = contents(held)
    assert set(renewed) == set(before) - {"service/triton"}
    assert {name for name in before if before[name] != after[name]} == set(renewed)


def test_what_was_issued_while_the_clock_was_ahead_is_issued_anew(held: Certificates) -> None:
    with later(1):
        held.issue([("service", "fines")])
    assert held.renew_due() == ["service/fines"]
    assert held.renew_due() == []


@pytest.mark.parametrize("harm", ["removed", "damaged", "another's"])
@pytest.mark.parametrize("file", ["key", "certificate"])
def test_a_damaged_pair_is_issued_anew(held: Certificates, harm: str, file: str) -> None:
    path = getattr(held.service("fines"), file)
    other = getattr(held.service("violations"), file).read_bytes()
    path.unlink()
    if harm != "removed":
        path.write_bytes(other if harm == "another's" else b"damaged")
    assert held.renew_due() == ["service/fines"]
    assert held.renew_due() == []


def test_what_is_revoked_or_held_elsewhere_is_left_alone(held: Certificates) -> None:
    held.issue([("partner", "outside-bank")])
    held.partner("outside-bank").key.unlink()
    held.revoke("partner", "kaspi", reason="its key was lost")
    before = contents(held)
    with later(0.52):
        held.renew_due()
        held.renew()
    after = contents(held)
    for name in ("partner/kaspi", "partner/outside-bank"):
        assert before[name] == after[name]
    assert before["partner/halyk"] != after["partner/halyk"]


@pytest.mark.parametrize("content", [None, b"garbage"])
def test_a_lost_revocation_list_is_written_again(held: Certificates, content: bytes | None) -> None:
    assert held.restore_lists() == []
    [revoked] = held.revoke("partner", "kaspi", reason="its key was lost")
    path = held.client_authorities / "partner.crl"
    assert held.restore_lists() == []
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert held.restore_lists() == ["partner"]
    [listed] = x509.load_pem_x509_crl(path.read_bytes())
    assert f"{listed.serial_number:x}" == revoked.serial.lstrip("0")
    path.unlink()
    held.renew()
    assert path.exists()


def test_status_warns_below_a_third_of_a_life(held: Certificates) -> None:
    assert ending_soon(certificate_states(held)) == []
    held.issue([("partner", "outside-bank")])
    held.partner("outside-bank").key.unlink()
    with later(0.7):
        held.renew_due()
        states = {state["name"]: state for state in certificate_states(held)}
        [notice] = ending_soon(states.values())
    assert states["partner/outside-bank"]["days_left"] == pytest.approx(3, abs=0.01)
    assert (notice["code"], notice["certificate"]) == (
        "CERTIFICATE_ENDS_SOON",
        "partner/outside-bank",
    )
    assert "ends in 3.0 days" in notice["text"]


def usage_of(path: Path) -> set[str]:
    found = x509.load_pem_x509_certificate(path.read_bytes())
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    names = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign")
    return {name for name in names if getattr(usage.value, name)}


def test_each_certificate_is_for_one_use(held: Certificates) -> None:
    authorities = [held.client_authorities / f"{k}.pem" for k in ("service", "partner", "device")]
    for path in (*authorities, held.officer_authority, held.triton_callers):
        assert usage_of(path) == {"key_cert_sign", "crl_sign"}
        found = x509.load_pem_x509_certificate(path.read_bytes())
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    assert usage_of(held.service("fines").certificate) == {"digital_signature"}
    officer = held.officer("inspector-almaty").certificate
    assert usage_of(officer) == {"digital_signature", "content_commitment"}


def test_shorter_lives_are_for_trials_alone() -> None:
    trial = {"TARTIP_LEAF_SECONDS": "20"}
    assert read_settings(trial).leaf_life == dt.timedelta(seconds=20)
    for wrong in (trial | {"TARTIP_ENVIRONMENT": "production"}, {"TARTIP_LEAF_SECONDS": "1"}):
        with pytest.raises(Failure, match="TARTIP_LEAF_SECONDS") as refused:
            read_settings(wrong)
        assert refused.value.code is Exit.USAGE
