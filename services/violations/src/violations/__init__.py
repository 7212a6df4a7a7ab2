"""The violations service: it assesses what devices measured under the rules of law in force, and a
named officer decides on each violation that results.

Start at `model` (states and transitions), `usecases` (decisions) or `grpc_api` (the API).
"""
