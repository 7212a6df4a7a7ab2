"""The violations service: it applies the law in force to what devices measured, and records the
violations that result. A named officer decides on each violation.

Start at `model` (states and transitions), `usecases` (decisions) or `grpc_api` (the API).
"""
