"""`tartip partners day`: what a partner handed in on one day, as the partner itself is told.

It calls with the partner's certificate, which lies in the data folder of the embedded run alone. It
does not tell the kinds of reports: whoever runs it may not see all of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tartip_cli.cli.console import AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.reports.v1 import reports_pb2 as pb

_SECONDS = 10.0
_COUNTED = ("accepted", "open", "answered", "disputed", "closed", "withdrawn")


def day(
    name: Annotated[str, typer.Argument(help="The partner's name, as in its certificate.")],
    which: Annotated[
        str, typer.Option("--day", help="YYYY-MM-DD in Asia/Almaty; without it, today.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Count the reports that a partner handed in on one day, with the digest of their ids."""
    count = asyncio.run(_count(name, which))
    told = {field: int(getattr(count, field)) for field in _COUNTED}
    if as_json:
        print_json(
            {
                "partner": name,
                "day": count.day,
                "is_over": count.is_over,
                **told,
                "ids_sha256": count.ids_sha256,
            }
        )
        return
    table = Table(title=f"{name}, {count.day}{'' if count.is_over else ' (not over yet)'}")
    for field in _COUNTED:
        table.add_column(field, justify="right")
    table.add_row(*(str(value) for value in told.values()))
    console.print(table)
    console.print(f"ids_sha256: {count.ids_sha256}", highlight=False, soft_wrap=True)


async def _count(name: str, which: str) -> pb.DayCount:
    from chassis.channels import peers_refusals
    from chassis.clock import system_clock
    from chassis.refusals import Refusal
    from law.zone import almaty_day
    from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

    from tartip_cli.clients.partner import outside
    from tartip_cli.topology import CITIZEN_REPORTS

    async with outside(read_settings()) as mesh:
        if not mesh.certificates.partner(name).certificate.exists():
            raise Failure(f"no certificate of the partner {name} lies here", Exit.USAGE)
        request = reports_pb2.CountDayRequest(day=which or almaty_day(system_clock()).isoformat())
        stub = reports_pb2_grpc.CitizenReportsStub(mesh.as_partner(name, CITIZEN_REPORTS))
        try:
            with peers_refusals():
                return (await stub.CountDay(request, timeout=_SECONDS)).count
        except Refusal as refusal:
            wrong = "".join(f"; {field.field}: {field.description}" for field in refusal.fields)
            raise Failure(f"{refusal.reason}: {refusal.message.en}{wrong}", Exit.REFUSED) from None
