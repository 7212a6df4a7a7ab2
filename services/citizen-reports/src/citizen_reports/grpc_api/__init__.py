"""proto → use case → proto, nothing else."""

from citizen_reports.grpc_api.apps import POLICY as APPS_POLICY
from citizen_reports.grpc_api.apps import CitizenReportsApi
from citizen_reports.grpc_api.desk import POLICY as DESK_POLICY
from citizen_reports.grpc_api.desk import ReportDeskApi

__all__ = ["APPS_POLICY", "DESK_POLICY", "CitizenReportsApi", "ReportDeskApi"]
