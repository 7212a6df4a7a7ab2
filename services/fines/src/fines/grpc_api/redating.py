"""`Fines.RedateFines`: the one call of the desk that the command line alone may make."""

from collections.abc import AsyncIterator

from chassis.grpc_server import Policy
from chassis.identity import Caller, allow
from chassis.refusals import PageTokenWrong
from tartip.fines.v1 import fines_pb2

from fines.grpc_api.messages import STATES, dates_to_proto
from fines.model.identifiers import is_number
from fines.usecases.redating import Redated, Redating

POLICY: Policy = {"/tartip.fines.v1.Fines/RedateFines": allow(services=("tartip-cli",))}


async def redate_fines(
    redating: Redating, request: fines_pb2.RedateFinesRequest, caller: Caller
) -> AsyncIterator[fines_pb2.RedateFinesResponse]:
    """Raises PageTokenWrong."""
    if request.resume_token and not is_number(request.resume_token):
        raise PageTokenWrong
    async for found in redating.run(request.resume_token, caller, dry_run=request.dry_run):
        yield _message(found)


def _message(found: Redated) -> fines_pb2.RedateFinesResponse:
    return fines_pb2.RedateFinesResponse(
        number=found.after.number,
        region=found.after.region,
        state=STATES[found.after.state],
        before=dates_to_proto(found.before.dates),
        after=dates_to_proto(found.after.dates),
        changed=found.after is not found.before,
        refusal=found.refusal,
        remaining=found.remaining,
        resume_token=found.after.number,
    )
