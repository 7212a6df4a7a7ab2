"""Composition root: builds the adapters, use cases and servers from the settings."""

from pathlib import Path

from audit_log.rules import AuditRules
from audit_log.service import serve_audit_log
from audit_log.witnesses import serve_witnesses
from chassis.pages import Pages
from chassis.telemetry import UUID_SHAPE
from host.consumer import Subscription
from host.runtime import Chassis, Service
from law import guards
from law.fine_dates import DayCount
from law.owners import owner_rules
from partners.service import serve_partners
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.violations.v1 import events_pb2

from fines.clients.post import ElectronicSeal, LetterFolder
from fines.clients.vehicles import VehicleFile
from fines.clients.violations import ViolationsClient
from fines.consumers import on_annulled, on_confirmed
from fines.grpc_api import desk, payments
from fines.measures import measure_missing_tables
from fines.model.law import read_law
from fines.settings import FinesSettings
from fines.storage import records
from fines.storage.awaited import AWAITED
from fines.usecases.desk import Desk
from fines.usecases.inquiry import Inquiry
from fines.usecases.issuing import Issuing
from fines.usecases.lookups import Lookups
from fines.usecases.payments import PaymentDesk
from fines.usecases.recheck import Recheck
from fines.usecases.redating import Redating

LETTER_KEY = "letter"


async def build(chassis: Chassis[FinesSettings]) -> None:
    settings = chassis.settings
    law = read_law(assume_years=settings.assume_years)
    inquiry = Inquiry(
        ViolationsClient(chassis.channels.to(settings.violations_address, "violations")),
        VehicleFile(settings.vehicles_file),
        law,
        guards.load(),
        owner_rules(),
    )
    measure_missing_tables(law.yearly, chassis.clock)
    issuing = Issuing(
        chassis.work_db,
        chassis.clock,
        law,
        DayCount(settings.koap_day_count),
        inquiry=inquiry,
        post=LetterFolder(settings.letters_dir, chassis.clock),
        seal=ElectronicSeal(chassis.db.keyring.signing_key(LETTER_KEY)),
    )
    pages, services = Pages(chassis.db.keyring), fines_pb2.DESCRIPTOR.services_by_name
    chassis.serve(
        services["Fines"],
        fines_pb2_grpc.add_FinesServicer_to_server,
        desk.FinesApi(
            Desk(chassis.db, chassis.clock),
            Recheck(chassis.db, inquiry),
            Redating(chassis.db, chassis.clock, law),
            pages,
        ),
        desk.POLICY,
        needs=("violations",),
    )
    chassis.serve(
        services["FinePayments"],
        fines_pb2_grpc.add_FinePaymentsServicer_to_server,
        payments.FinePaymentsApi(
            PaymentDesk(chassis.db, chassis.clock), Lookups(chassis.db), pages
        ),
        payments.POLICY,
    )
    partners = serve_partners(chassis)
    serve_witnesses(chassis, settings.audited_services, partners.witness_key)
    serve_audit_log(chassis, AuditRules(records_attempts=True, awaited=AWAITED), records.SOURCES)
    chassis.publish_from("FINES")
    chassis.consume(
        "VIOLATIONS",
        {
            "violations.v1.confirmed": Subscription(
                events_pb2.ViolationConfirmed, on_confirmed(issuing)
            ),
            "violations.v1.annulled": Subscription(
                events_pb2.ViolationAnnulled, on_annulled(issuing)
            ),
        },
    )
    for kind, handler in issuing.work().items():
        chassis.do(kind, handler)


SERVICE = Service(
    "fines",
    settings=FinesSettings,
    build=build,
    schema="fines",
    migrations=Path(__file__).parents[2] / "migrations",
    ids={"fine": "[0-9]{15}", "payment": UUID_SHAPE, "violation": UUID_SHAPE},
)
