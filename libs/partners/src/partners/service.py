"""Makes a service serve and check its partners; called in the service's `build`."""

from typing import TypeVar

from chassis.pages import Pages
from host.runtime import Chassis
from tartip.partners.v1 import partners_pb2, partners_pb2_grpc

from partners.api import POLICY, PartnersApi
from partners.guard import PartnerGuard
from partners.register import PartnerRegister
from partners.settings import PartnerSettings
from partners.usecases import PartnerDesk

P = TypeVar("P", bound=PartnerSettings)


def serve_partners(chassis: Chassis[P]) -> PartnerRegister:
    """Serve `tartip.partners.v1`, and check every call of a partner against its database row.

    Returns the register of partners. The service's use cases need it for checks beyond scopes, such
    as which kinds of reports a partner may hand in.
    """
    settings = chassis.settings
    register = PartnerRegister(
        chassis.db,
        refresh_seconds=settings.partners_refresh_seconds,
        trial_partners=[name for name in settings.trial_partners.split(",") if name],
    )
    chassis.serve(
        partners_pb2.DESCRIPTOR.services_by_name["Partners"],
        partners_pb2_grpc.add_PartnersServicer_to_server,
        PartnersApi(PartnerDesk(chassis.db, register.refresh), Pages(chassis.db.keyring)),
        POLICY,
    )
    chassis.guard = PartnerGuard(register, chassis.policy)
    chassis.share_by(register.quota_of)
    chassis.loop("partners", register.run)
    return register
