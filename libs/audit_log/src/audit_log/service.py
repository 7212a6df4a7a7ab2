"""Adds the audit log to a service, by one call in the service's `build`."""

from collections.abc import Sequence
from typing import Any

from host.runtime import Chassis
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc

from audit_log.api import POLICY, AuditApi
from audit_log.decision_checks import RecordSource
from audit_log.lost_entries import LostEntries
from audit_log.own_key import own_key_check
from audit_log.rules import AuditRules
from audit_log.sealer import Sealer


def serve_audit_log(
    chassis: Chassis[Any], rules: AuditRules | None = None, records: Sequence[RecordSource] = ()
) -> None:
    """Serve `tartip.audit.v1`, seal the entries that `Tx.audit` writes, and watch for lost ones.

    `rules` are AuditRules() by default; `records` are the sources of the records that
    `CheckDecisions` checks.
    """
    chassis.serve(
        audit_pb2.DESCRIPTOR.services_by_name["Audit"],
        audit_pb2_grpc.add_AuditServicer_to_server,
        AuditApi(chassis.db, chassis.name, rules or AuditRules(), records),
        POLICY,
    )
    sealer = Sealer(
        chassis.databases.seal,
        chassis.clock,
        service=chassis.name,
        every_seconds=chassis.settings.seal_every_seconds,
    )
    chassis.checks.append(own_key_check(chassis.db))
    chassis.loop("sealer", sealer.run)
    lost = LostEntries((chassis.work_db, chassis.db))
    chassis.loop("lost entries", lost.run)
