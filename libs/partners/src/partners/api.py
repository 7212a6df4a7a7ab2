"""The gRPC servicer of `tartip.partners.v1`; `POLICY` says who may call each method."""

from typing import Any

import grpc
from chassis.call_context import current_caller
from chassis.clock import to_timestamp
from chassis.fields import check_text, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, checks
from tartip.partners.v1 import partners_pb2 as pb
from tartip.partners.v1 import partners_pb2_grpc
from tartip.reports.v1 import reports_pb2

from partners.model import (
    REASON_MAX,
    Partner,
    PartnerNotFound,
    PartnerScope,
    PartnerTerms,
    QuotaTerms,
    check_name,
    check_terms,
)
from partners.usecases import PartnerDesk

SERVICE = "/tartip.partners.v1.Partners/"
_WRITERS = allow(roles=("partner_administrator",), services=("tartip-cli",))
_READERS = allow(roles=("partner_administrator", "auditor"), services=("tartip-cli",))
POLICY: Policy = {
    f"{SERVICE}AddPartner": _WRITERS,
    f"{SERVICE}ChangePartner": _WRITERS,
    f"{SERVICE}RevokePartner": _WRITERS,
    f"{SERVICE}GetPartner": _READERS,
    f"{SERVICE}ListPartners": _READERS,
}
Context = grpc.aio.ServicerContext
_KIND_PREFIX = "CATEGORY_"
_SCOPES = {scope: pb.PartnerScope.Value(f"PARTNER_SCOPE_{scope.name}") for scope in PartnerScope}
_SCOPE_OF = {number: scope for scope, number in _SCOPES.items()}


class PartnersApi(partners_pb2_grpc.PartnersServicer):
    """The gRPC methods by which administrators manage the partners of one service."""

    def __init__(self, desk: PartnerDesk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    async def AddPartner(
        self, request: pb.AddPartnerRequest, context: Context
    ) -> pb.AddPartnerResponse:
        """Add a partner, or admit a revoked one again.

        Raises BadRequest, PartnerExists or IdReused.
        """
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            check_name(check, request.name)
            terms = read_terms(check, request.terms)
        partner = await self._desk.add(
            request_id,
            request.name,
            terms,
            content=request.SerializeToString(deterministic=True),
            caller=current_caller(),
        )
        return pb.AddPartnerResponse(partner=partner_to_proto(partner))

    async def ChangePartner(
        self, request: pb.ChangePartnerRequest, context: Context
    ) -> pb.ChangePartnerResponse:
        """Replace the terms of a partner. Raises BadRequest, PartnerNotFound, PartnerRevoked,
        PartnerChangedMeanwhile or IdReused."""
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            check.that(request.version > 0, "version", "the version that was read, from 1")
            terms = read_terms(check, request.terms)
        partner = await self._desk.change(
            request_id,
            _known_name(request.name),
            terms,
            from_version=request.version,
            content=request.SerializeToString(deterministic=True),
            caller=current_caller(),
        )
        return pb.ChangePartnerResponse(partner=partner_to_proto(partner))

    async def RevokePartner(
        self, request: pb.RevokePartnerRequest, context: Context
    ) -> pb.RevokePartnerResponse:
        """Revoke a partner, so that all its further calls are refused.

        Raises BadRequest, PartnerNotFound or IdReused.
        """
        with checks() as check:
            request_id = read_new_id(check, "request_id", request.request_id)
            check_text(check, "reason", request.reason, longest=REASON_MAX, required=True)
        partner = await self._desk.revoke(
            request_id,
            _known_name(request.name),
            reason=request.reason.strip(),
            content=request.SerializeToString(deterministic=True),
            caller=current_caller(),
        )
        return pb.RevokePartnerResponse(partner=partner_to_proto(partner))

    async def GetPartner(
        self, request: pb.GetPartnerRequest, context: Context
    ) -> pb.GetPartnerResponse:
        """Return a partner by name. Raises PartnerNotFound."""
        partner = await self._desk.get(_known_name(request.name), current_caller())
        return pb.GetPartnerResponse(partner=partner_to_proto(partner))

    async def ListPartners(
        self, request: pb.ListPartnersRequest, context: Context
    ) -> pb.ListPartnersResponse:
        """Return a page of the partners, ordered by name. Raises BadRequest or PageTokenWrong."""
        page = self._pages.read(request, current_caller())
        after = page.spec.after[0] if page.spec.after else ""
        found = await self._desk.page(after=after, size=page.spec.size, caller=current_caller())
        return pb.ListPartnersResponse(
            partners=[partner_to_proto(partner) for partner in found],
            next_page_token=page.next_token([(partner.name,) for partner in found]),
        )


def read_terms(check: Checks, given: pb.PartnerTerms) -> PartnerTerms:
    """Convert a partner's terms from a request, and check them.

    Wrong fields are added to `check`; the result may be used only if no field was wrong.
    """
    known = all(number in _SCOPE_OF for number in given.scopes)
    check.that(known, "terms.scopes", "each one of the scopes")
    right = all(number and number in reports_pb2.Category.values() for number in given.kinds)
    check.that(right, "terms.kinds", "each one of the kinds of reports")
    limits: dict[str, Any] = {field.name: value for field, value in given.quota.ListFields()}
    terms = PartnerTerms(
        scopes=tuple(_SCOPE_OF[number] for number in given.scopes if number in _SCOPE_OF),
        kinds=tuple(_kind_name(number) for number in given.kinds) if right else (),
        quota=QuotaTerms(**limits),
        callback_url=given.callback_url,
        contact=given.contact,
        languages=tuple(given.languages),
        witness_key=given.witness_key,
    )
    check_terms(check, terms)
    return terms


def partner_to_proto(partner: Partner) -> pb.Partner:
    """Convert a partner to its protobuf message."""
    terms = partner.terms
    limits = {name: value for name, value in vars(terms.quota).items() if value is not None}
    return pb.Partner(
        name=partner.name,
        terms=pb.PartnerTerms(
            scopes=[_SCOPES[scope] for scope in terms.scopes],
            kinds=[reports_pb2.Category.Value(_KIND_PREFIX + k.upper()) for k in terms.kinds],
            quota=pb.PartnerQuota(**limits),
            callback_url=terms.callback_url,
            contact=terms.contact,
            languages=terms.languages,
            witness_key=terms.witness_key,
        ),
        revoked_at=to_timestamp(partner.revoked_at),
        changed_at=to_timestamp(partner.changed_at),
        changed_by=partner.changed_by,
        version=partner.version,
    )


def _known_name(text: str) -> str:
    """Return `text` unchanged. Raises PartnerNotFound where no partner can have this name."""
    if not text.isprintable():
        raise PartnerNotFound
    return text


def _kind_name(number: int) -> str:
    name = reports_pb2.Category.Name(reports_pb2.Category.ValueType(number))
    return name.removeprefix(_KIND_PREFIX).lower()
