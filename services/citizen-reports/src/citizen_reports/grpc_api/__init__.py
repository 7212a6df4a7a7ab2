"""The gRPC services: they check fields, call the use case and convert its result to a message."""

from citizen_reports.grpc_api.answers import POLICY as ANSWERS_POLICY
from citizen_reports.grpc_api.answers import AnswersApi
from citizen_reports.grpc_api.apps import POLICY as APPS_POLICY
from citizen_reports.grpc_api.apps import AppUseCases, CitizenReportsApi
from citizen_reports.grpc_api.desk import POLICY as DESK_POLICY
from citizen_reports.grpc_api.desk import DeskUseCases, ReportDeskApi
from citizen_reports.grpc_api.personnel import (
    COMPLAINTS_POLICY,
    PERSONNEL_POLICY,
    ComplaintsApi,
    PersonnelApi,
)
from citizen_reports.grpc_api.retention import RETENTION_POLICY, RetentionApi
from citizen_reports.grpc_api.routing import POLICY as ROUTING_POLICY
from citizen_reports.grpc_api.routing import RoutingApi

__all__ = [
    "ANSWERS_POLICY",
    "APPS_POLICY",
    "COMPLAINTS_POLICY",
    "DESK_POLICY",
    "PERSONNEL_POLICY",
    "RETENTION_POLICY",
    "ROUTING_POLICY",
    "AnswersApi",
    "AppUseCases",
    "CitizenReportsApi",
    "ComplaintsApi",
    "DeskUseCases",
    "PersonnelApi",
    "ReportDeskApi",
    "RetentionApi",
    "RoutingApi",
]
