"""Violations over gRPC: proto to use case to proto, nothing else, and who may call what."""

from violations.grpc_api.desk import POLICY as POLICY
from violations.grpc_api.desk import ViolationsApi as ViolationsApi
