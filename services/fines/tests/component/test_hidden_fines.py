"""A fine of another region is not found, and the attempt to open it is reported."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.identity import Caller, Operator
from fines.model.refusals import FineNotFound
from fines.usecases.desk import Desk
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip.fines.v1 import events_pb2
from tartip.fines.v1 import fines_pb2 as pb
from tartip_testing.bounds import CALL_SECONDS

from .bench import keyring_of
from .conftest import As

NOBODYS = "000000000000000"


async def attempts_on(database: Any, number: str) -> list[dict[str, Any]]:
    rows = await database.fetch("SELECT canonical FROM audit ORDER BY position")
    entries = [json.loads(row["canonical"]) for row in rows]
    return [
        one
        for one in entries
        if one["action"] == "open_refused" and one["object"] == f"fine:{number}"
    ]


def stranger(role: str) -> Caller:
    operator = Operator(f"{role}-astana", frozenset({role}), ("KZ-71",))
    return Caller("service", "operator-gateway", operator, "құпия емес")


@pytest_asyncio.fixture
async def desk(environment: dict[str, str]) -> AsyncIterator[Desk]:
    """The service's desk, for callers whom the development issuer does not know."""
    db = Database(
        environment["TARTIP_DATABASE_URL"],
        service="fines",
        keyring=keyring_of(environment),
        clock=system_clock,
    )
    yield Desk(db, system_clock)
    await db.close()


Ask = Callable[[Desk, str], Awaitable[object]]
ASKED: dict[str, Ask] = {
    "inspector": lambda desk, number: desk.get(number, stranger("inspector")),
    "auditor": lambda desk, number: desk.entries(number, stranger("auditor")),
    "supervisor": lambda desk, number: desk.cancel(
        number, cancellation_id=new_id(), reason="x", caller=stranger("supervisor")
    ),
}


@pytest.mark.parametrize("role", ASKED)
async def test_an_attempt_to_open_another_regions_fine_is_recorded_and_told_without_saying_which(
    a_fine: Any, desk: Desk, database: Any, role: str
) -> None:
    number = a_fine["number"]
    for asked in (number, NOBODYS):
        with pytest.raises(FineNotFound):
            await ASKED[role](desk, asked)
    [entry] = await attempts_on(database, number)
    assert (entry["actor"], entry["purpose"]) == (f"operator/{role}-astana", "құпия емес")
    assert (entry["region"], entry["facts"]) == ("KZ-75", {"record": "hidden"})
    assert (await attempts_on(database, NOBODYS))[-1]["facts"] == {"record": "unknown"}
    row = await database.fetchrow(
        "SELECT * FROM outbox WHERE aggregate = $1", f"attempt:{entry['id']}"
    )
    assert (row["subject"], row["region"]) == ("fines.v1.access_refused", "KZ-75")
    assert events_pb2.AccessRefused.FromString(row["payload"]).attempt_id == entry["id"]
    for secret in (number, f"{role}-astana"):
        assert secret.encode() not in row["payload"]


async def test_internal_security_is_told_of_it_over_the_wire(
    a_fine: Any, as_: Callable[..., As], operator: Callable[[str], As]
) -> None:
    get = pb.GetFineRequest(number=a_fine["number"])
    assert (await operator("inspector-astana").refused("GetFine", get)).code == "FINE_NOT_FOUND"
    asking = as_("operator-gateway", operator="security-1")
    audit = audit_pb2_grpc.AuditStub(asking.channels.to(asking.address, "fines"))
    listed = await audit.ListAttempts(
        audit_pb2.ListAttemptsRequest(), timeout=CALL_SECONDS, metadata=asking.metadata
    )
    latest = listed.attempts[0]
    assert (latest.object, latest.actor) == (f"fine:{get.number}", "operator/inspector-astana")
    assert (latest.region, latest.hidden) == ("KZ-75", True)


async def test_who_may_read_a_fine_leaves_no_attempt(
    a_fine: Any, operator: Callable[[str], As], database: Any
) -> None:
    get = pb.GetFineRequest(number=a_fine["number"])
    assert (await operator("inspector-almaty").call("GetFine", get)).fine.number
    assert not await attempts_on(database, a_fine["number"])
