"""The register of cameras: who runs which camera where, what it may do, and on what papers.

Start at `grpc_api` (what is answered), `usecases` (what is decided) or `model` (by which rules).
"""
