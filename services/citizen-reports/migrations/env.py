"""Runs this service's history; see host.migrations."""

from host.migrations import run_env

run_env()
