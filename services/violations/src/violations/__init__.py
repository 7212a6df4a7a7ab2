"""Violations: device readings are assessed under the rules in force and decided by a named officer.

Start at `model` (states and transitions), `usecases` (decisions) or `grpc_api` (the API).
"""
