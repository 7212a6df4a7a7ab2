"""The test partners of a sandbox: each has a certificate, a key and terms of its own.

Four may do everything. The others meet a refusal that depends on who calls, and are named after it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tartip.partners.v1 import partners_pb2 as pb
from tartip.reports.v1 import reports_pb2

from tartip_cli.clients.partner import Outside
from tartip_cli.clients.partner_rows import added, at_each, revoked, shown
from tartip_cli.data_dir import write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.certificates import Authority, Certificates, KeyPair
from tartip_cli.sandbox.home import SandboxHome
from tartip_cli.topology import PARTNERS

# It is over before anybody can call with it.
_EXPIRES_AFTER = dt.timedelta(seconds=1)
_REPORTS = pb.PARTNER_SCOPE_REPORTS
_REVOKED, _UNKNOWN = "revoked", "unknown"
_CERTIFICATE_REVOKED, _CERTIFICATE_EXPIRED = "certificate-revoked", "certificate-expired"


@dataclass(frozen=True)
class TestPartner:
    """A test partner: its name, what it is for, and the files of its certificate and key."""

    __test__ = False  # pytest, which takes it for tests

    name: str
    use: str
    files: KeyPair


def _few_kinds(terms: pb.PartnerTerms) -> None:
    terms.scopes.append(_REPORTS)
    terms.kinds.extend((reports_pb2.CATEGORY_INCIDENT, reports_pb2.CATEGORY_OTHER))


def _no_reports(terms: pb.PartnerTerms) -> None:
    terms.scopes.append(pb.PARTNER_SCOPE_LOOK_UPS)


def _slow(terms: pb.PartnerTerms) -> None:
    terms.scopes.append(_REPORTS)
    terms.quota.calls_per_second = 1


def _all_reports(terms: pb.PartnerTerms) -> None:
    terms.scopes.append(_REPORTS)


_ADMITTED: Final = dict.fromkeys(PARTNERS, "everything")
# By name: the partner's terms, and the refusal for which it is there.
_REFUSED: Final[Mapping[str, tuple[Callable[[pb.PartnerTerms], None] | None, str]]] = {
    "few-kinds": (_few_kinds, "REPORT_KIND_NOT_ALLOWED, but for incidents and other reports"),
    "no-reports": (_no_reports, "SCOPE_MISSING"),
    "slow": (_slow, "SHARE_EXCEEDED beyond one call a second"),
    _REVOKED: (_all_reports, "PARTNER_REVOKED"),
    _UNKNOWN: (None, "PARTNER_UNKNOWN"),
    _CERTIFICATE_REVOKED: (_all_reports, "CERTIFICATE_REVOKED"),
}


async def admit(outside: Outside, home: SandboxHome) -> list[TestPartner]:
    """Add the test partners that are missing, write the files of all of them into the sandbox's
    folder, and return them. Raises Failure if a service refuses one."""
    certificates = outside.certificates
    for name, (edit, _) in _REFUSED.items():
        if name == _CERTIFICATE_REVOKED and certificates.partner(name).certificate.exists():
            continue
        certificates.issue_partner(name)
        if edit is not None:
            await _add(outside, name, edit)
    if not any(each.name == _CERTIFICATE_REVOKED for each in certificates.revocations.revoked()):
        certificates.revoke("partner", _CERTIFICATE_REVOKED, reason="a test partner")
    return _written(certificates, home)


def _written(certificates: Certificates, home: SandboxHome) -> list[TestPartner]:
    """Write certificates and keys, as they are now, into the sandbox's folder."""
    folder = home.partners
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(folder / "ca.pem", certificates.authority.read_bytes())
    partners = []
    for name, use in (*_ADMITTED.items(), *((name, use) for name, (_, use) in _REFUSED.items())):
        pair, copy = (
            certificates.partner(name),
            KeyPair(folder / f"{name}.pem", folder / f"{name}.key"),
        )
        write_private(copy.key, pair.key.read_bytes())
        write_private(copy.certificate, pair.certificate.read_bytes())
        partners.append(TestPartner(name, use, copy))
    name = _CERTIFICATE_EXPIRED
    expired = KeyPair(folder / f"{name}.pem", folder / f"{name}.key")
    authority = Authority.open(certificates.client_authorities, "partner")
    authority.issue(
        expired, common_name=name, uri=f"spiffe://tartip/partner/{name}", life=_EXPIRES_AFTER
    )
    return [*partners, TestPartner(name, "no connection: UNAVAILABLE without ErrorInfo", expired)]


async def _add(outside: Outside, name: str, edit: Callable[[pb.PartnerTerms], None]) -> None:
    terms = pb.PartnerTerms()
    edit(terms)
    outcomes = await at_each(outside, shown(name))
    if not all(each.partner for each in outcomes):  # one that was revoked would be admitted again
        outcomes = await at_each(outside, added(name, terms))
        if name == _REVOKED:
            outcomes += await at_each(outside, revoked(name, "a test partner"))
    if wrong := [each for each in outcomes if each.refusal is not None]:
        raise Failure(
            f"the test partner {name} was not added at {wrong[0].service}: {wrong[0].refusal}",
            Exit.REFUSED,
        )
