"""Violations: what a device measured, held against the rules in force, decided by a named officer.

Start at `model` (states and rules), `usecases` (what is decided) or `grpc_api` (what is answered).
"""
