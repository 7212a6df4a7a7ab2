"""A refusal of the mesh as the one line that a command ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.channels import peers_refusals
from chassis.refusals import Refusal

from tartip_cli.failures import Exit, Failure


@contextmanager
def refusals_told() -> Iterator[None]:
    """Around a call to a service: its refusal becomes a Failure with every wrong field."""
    try:
        with peers_refusals():
            yield
    except Refusal as refusal:
        wrong = "".join(f"\n  {field.field}: {field.description}" for field in refusal.fields)
        raise Failure(
            f"refused, {refusal.reason}: {refusal.says.en}{wrong}", Exit.REFUSED
        ) from refusal
