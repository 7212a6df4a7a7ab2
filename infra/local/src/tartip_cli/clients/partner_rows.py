"""Changes a partner at every service that partners call, one service after the other.

If a change succeeded at one service only, repeat it. The service that already has the wanted terms
stays unchanged, and the others are changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chassis.channels import peers_refusals
from chassis.clock import new_id
from chassis.refusals import Kind, Refusal
from tartip.common.v1 import common_pb2
from tartip.partners.v1 import partners_pb2 as pb
from tartip.partners.v1 import partners_pb2_grpc
from tartip.reports.v1 import reports_pb2

from tartip_cli.clients.partner import Outside
from tartip_cli.topology import PARTNER_SERVICES, Service

_SECONDS = 10.0
_PAGE = 200
_SCOPE, _KIND = "PARTNER_SCOPE_", "CATEGORY_"
SCOPES = {name.removeprefix(_SCOPE).lower(): number for name, number in pb.PartnerScope.items()}
KINDS = {name.removeprefix(_KIND).lower(): number for name, number in reports_pb2.Category.items()}
for _names in (SCOPES, KINDS):
    del _names["unspecified"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a change at one service. The field `done` says what was done, such as "added"
    or "unchanged". The field `partner` is the partner after the change. If the change failed, only
    `refusal` is set."""

    service: str
    done: str = ""
    partner: pb.Partner | None = None
    refusal: Refusal | None = None


Decide = Callable[[Any], Awaitable[tuple[str, pb.Partner]]]
Edit = Callable[[pb.PartnerTerms], None]


async def at_each(mesh: Outside, decide: Decide) -> list[Outcome]:
    """Apply a change at each service, and return one outcome per service. `decide` makes the change
    at one service; use a result of `added`, `changed`, `revoked` or `shown`. If a service refuses
    or does not answer, the others are still changed."""
    return [await _at(mesh, service, decide) for service in PARTNER_SERVICES]


async def listed(mesh: Outside) -> tuple[dict[str, dict[str, pb.Partner]], list[Outcome]]:
    """Return the partners, and the outcomes of the services that refused. The partners are grouped
    by the partner's name, then by the service's name."""
    found: dict[str, dict[str, pb.Partner]] = {}
    refused = []
    for service in PARTNER_SERVICES:
        try:
            for partner in await _every(_stub(mesh, service)):
                found.setdefault(partner.name, {})[service.name] = partner
        except Refusal as refusal:
            refused.append(Outcome(service.name, refusal=refusal))
    return dict(sorted(found.items())), refused


def added(name: str, terms: pb.PartnerTerms) -> Decide:
    """Return a function for `at_each` that adds a partner with these terms. A partner that already
    has these terms stays unchanged. A partner that was revoked is admitted again."""

    async def decide(stub: Any) -> tuple[str, pb.Partner]:
        current = await _known(stub, name)
        if current and not current.HasField("revoked_at") and _alike(current.terms, terms):
            return "unchanged", current
        request = pb.AddPartnerRequest(request_id=str(new_id()), name=name, terms=terms)
        return "added", (await stub.AddPartner(request, timeout=_SECONDS)).partner

    return decide


def changed(name: str, edit: Edit) -> Decide:
    """Return a function for `at_each` that changes a partner's terms. `edit` gets a copy of the
    current terms and modifies it in place. If `edit` modifies nothing, the partner stays
    unchanged."""

    async def decide(stub: Any) -> tuple[str, pb.Partner]:
        current = await _get(stub, name)
        terms = pb.PartnerTerms()
        terms.CopyFrom(current.terms)
        edit(terms)
        if _alike(current.terms, terms) and not current.HasField("revoked_at"):
            return "unchanged", current
        request = pb.ChangePartnerRequest(
            request_id=str(new_id()), name=name, version=current.version, terms=terms
        )
        return "changed", (await stub.ChangePartner(request, timeout=_SECONDS)).partner

    return decide


def revoked(name: str, reason: str) -> Decide:
    """Return a function for `at_each` that revokes a partner. A partner that is already revoked
    stays unchanged."""

    async def decide(stub: Any) -> tuple[str, pb.Partner]:
        current = await _get(stub, name)
        if current.HasField("revoked_at"):
            return "unchanged", current
        request = pb.RevokePartnerRequest(request_id=str(new_id()), name=name, reason=reason)
        return "revoked", (await stub.RevokePartner(request, timeout=_SECONDS)).partner

    return decide


def shown(name: str) -> Decide:
    """Return a function for `at_each` that reads a partner and changes nothing."""

    async def decide(stub: Any) -> tuple[str, pb.Partner]:
        return "read", await _get(stub, name)

    return decide


def scope_names(terms: pb.PartnerTerms) -> list[str]:
    return [pb.PartnerScope.Name(scope).removeprefix(_SCOPE).lower() for scope in terms.scopes]


def kind_names(terms: pb.PartnerTerms) -> list[str]:
    return [reports_pb2.Category.Name(kind).removeprefix(_KIND).lower() for kind in terms.kinds]


def quota_of(terms: pb.PartnerTerms) -> dict[str, float]:
    """Return the limits that are set in a partner's quota, by field name. A limit that is not in
    the result has its default value."""
    return {field.name: value for field, value in terms.quota.ListFields()}


async def _at(mesh: Outside, service: Service, decide: Decide) -> Outcome:
    try:
        with peers_refusals():
            done, partner = await decide(_stub(mesh, service))
    except Refusal as refusal:
        return Outcome(service.name, refusal=refusal)
    return Outcome(service.name, done, partner)


def _stub(mesh: Outside, service: Service) -> Any:
    return partners_pb2_grpc.PartnersStub(mesh.as_command_line(service))


async def _get(stub: Any, name: str) -> pb.Partner:
    answer = await stub.GetPartner(pb.GetPartnerRequest(name=name), timeout=_SECONDS)
    found: pb.Partner = answer.partner
    return found


async def _known(stub: Any, name: str) -> pb.Partner | None:
    try:
        with peers_refusals():
            return await _get(stub, name)
    except Refusal as refusal:
        if refusal.kind is Kind.NOT_FOUND:
            return None
        raise


async def _every(stub: Any) -> list[pb.Partner]:
    found: list[pb.Partner] = []
    token = ""
    while True:
        page = common_pb2.Page(size=_PAGE, token=token)
        with peers_refusals():
            answer = await stub.ListPartners(pb.ListPartnersRequest(page=page), timeout=_SECONDS)
        found += answer.partners
        token = answer.next_page_token
        if not token:
            return found


def _alike(one: pb.PartnerTerms, other: pb.PartnerTerms) -> bool:
    """Whether two terms mean the same; the order within lists does not matter."""
    return _ordered(one) == _ordered(other)


def _ordered(terms: pb.PartnerTerms) -> tuple[object, ...]:
    lists = (sorted(terms.scopes), sorted(terms.kinds), sorted(terms.languages))
    texts = (terms.callback_url, terms.contact, terms.witness_key)
    return (*lists, *texts, sorted(quota_of(terms).items()))
