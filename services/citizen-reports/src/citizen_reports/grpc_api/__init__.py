"""The gRPC services: fields are checked, the use case called, its result made a message."""

from citizen_reports.grpc_api.apps import POLICY as APPS_POLICY
from citizen_reports.grpc_api.apps import CitizenReportsApi
from citizen_reports.grpc_api.desk import POLICY as DESK_POLICY
from citizen_reports.grpc_api.desk import ReportDeskApi

__all__ = ["APPS_POLICY", "DESK_POLICY", "CitizenReportsApi", "ReportDeskApi"]
