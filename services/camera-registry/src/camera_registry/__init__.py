"""The register of cameras: place, owner, permitted AI functions, verifications and status of each.

Start at `grpc_api` (the RPCs), `usecases` (the decisions) or `model` (the rules).
"""
