"""The operators' gateway: a REST API, live events and a web console in front of the gRPC
services."""
