"""The gRPC services: they check fields, call the use case and convert its result to a message."""

from citizen_reports.grpc_api.apps import POLICY as APPS_POLICY
from citizen_reports.grpc_api.apps import CitizenReportsApi
from citizen_reports.grpc_api.desk import POLICY as DESK_POLICY
from citizen_reports.grpc_api.desk import DeskUseCases, ReportDeskApi

__all__ = ["APPS_POLICY", "DESK_POLICY", "CitizenReportsApi", "DeskUseCases", "ReportDeskApi"]
