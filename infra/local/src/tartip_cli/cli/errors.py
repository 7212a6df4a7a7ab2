"""Converts refused calls to services into errors of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.channels import peers_refusals
from chassis.refusals import Refusal

from tartip_cli.failures import Exit, Failure


@contextmanager
def refusals_as_failures() -> Iterator[None]:
    """Convert a service's refusal in the block into a Failure. The message has the reason of the
    refusal and names every wrong field of the request."""
    try:
        with peers_refusals():
            yield
    except Refusal as refusal:
        wrong = "".join(f"\n  {field.field}: {field.description}" for field in refusal.fields)
        raise Failure(
            f"refused, {refusal.reason}: {refusal.message.en}{wrong}", Exit.REFUSED
        ) from refusal
