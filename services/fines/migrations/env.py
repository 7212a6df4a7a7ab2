"""Alembic asks here; the chassis knows how to run a history in its own schema."""

from host.migrations import run_env

run_env()
