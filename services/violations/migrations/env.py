"""Runs this service's history; see chassis.migrations."""

from chassis.migrations import run_env

run_env()
