"""What was done and seen is sealed, what was changed afterwards shows, and who reads it is seen."""

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
from audit_log import merkle
from audit_log.api import AuditApi
from audit_log.attempts import Attempt, Attempts, Record
from audit_log.heads import head_text
from audit_log.rules import AuditRules
from audit_log.sealer import HeadForged, Sealer
from chassis import call_context
from chassis.audit_entry import AuditEntry
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.identity import Caller, Operator
from chassis.refusals import Kind, PageTokenWrong, Refusal
from chassis.tables import audit, audit_pending
from chassis.transaction import SYSTEM, Scope, Tx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from host.leases import LeaseLost, hold
from sqlalchemy import text
from tartip.audit.v1 import audit_pb2
from tartip.common.v1.common_pb2 import Page
from tartip_testing.paging import assert_token_is_bound

VERIFIER = Caller("service", "tartip-cli", purpose="verify")


def auditor(*regions: str, role: str = "auditor") -> Caller:
    operator = Operator(f"{role}-1", frozenset({role}), regions)
    return Caller("service", "operator-gateway", operator, "yearly audit")


@dataclass(frozen=True)
class Reader:
    """Asks the log as one caller."""

    api: AuditApi
    caller: Caller

    async def entries(self, **wanted: Any) -> list[audit_pb2.AuditEntry]:
        """All pages."""
        found: list[audit_pb2.AuditEntry] = []
        token, size = "", wanted.pop("size", 0)
        while True:
            page = Page(token=token, size=size)
            answer = await self.list_entries(audit_pb2.ListEntriesRequest(page=page, **wanted))
            found += answer.entries
            token = answer.next_page_token
            if not token:
                return found

    async def list_entries(
        self, request: audit_pb2.ListEntriesRequest
    ) -> audit_pb2.ListEntriesResponse:
        call_context.bind(call_context.Call(self.caller, "test", None, ""))
        return await self.api.ListEntries(request, None)  # type: ignore[arg-type]

    async def attempts(self, **page: Any) -> audit_pb2.ListAttemptsResponse:
        return await self.list_attempts(audit_pb2.ListAttemptsRequest(page=Page(**page)))

    async def list_attempts(
        self, request: audit_pb2.ListAttemptsRequest
    ) -> audit_pb2.ListAttemptsResponse:
        call_context.bind(call_context.Call(self.caller, "test", None, ""))
        return await self.api.ListAttempts(request, None)  # type: ignore[arg-type]


def reader(db: Database, caller: Caller, **rules: Any) -> Reader:
    return Reader(AuditApi(db, "scratch", AuditRules(**rules)), caller)


async def sealed(db: Database, entries: int) -> Any:
    async with db.begin(SYSTEM) as tx:
        for number in range(entries):
            tx.audit("read", f"thing:{number}")
    assert await seal(db) == entries
    return await newest_head(db)


async def seal(db: Database) -> int:
    sealer = Sealer(db, system_clock, service="scratch", every_seconds=60)
    async with hold(db, "sealer") as lease:
        return await sealer.seal(lease)


async def newest_head(db: Database) -> Any:
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT * FROM audit_heads ORDER BY tree_size DESC LIMIT 1"))
        return rows.one()


async def written(db: Database, action: str) -> list[dict[str, Any]]:
    """Entries of one kind, sealed or not."""
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT canonical FROM audit ORDER BY position"))
        entries = [json.loads(bytes(row.canonical)) for row in rows]
    return [entry for entry in entries if entry["action"] == action]


def objects(entries: list[audit_pb2.AuditEntry]) -> list[str]:
    return [json.loads(entry.canonical)["object"] for entry in entries if entry.canonical]


async def test_a_sealer_that_lost_its_lease_seals_nothing(db: Database) -> None:
    sealer = Sealer(db, system_clock, service="scratch", every_seconds=60)
    async with db.begin(SYSTEM) as tx:
        tx.audit("read", "thing:1")
    async with hold(db, "sealer") as lease:
        async with db.begin(SYSTEM) as tx:
            taken_over = "UPDATE leases SET generation = generation + 1, expires_at = '-infinity'"
            await tx.execute(text(taken_over))
        with pytest.raises(LeaseLost):
            await sealer.seal(lease)
    assert await seal(db) == 1


async def test_a_head_covers_every_entry_in_order_and_is_signed(db: Database) -> None:
    await sealed(db, 3)
    head = await sealed(db, 4)
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(
            text(
                "SELECT canonical FROM audit JOIN audit_leaves USING (entry_id) ORDER BY leaf_index"
            )
        )
        leaves = [merkle.leaf_hash(bytes(row.canonical)) for row in rows]
    assert (head.tree_size, bytes(head.root)) == (7, merkle.root(leaves))
    Ed25519PublicKey.from_public_bytes(bytes(head.public_key)).verify(
        bytes(head.signature),
        head_text("scratch", head.tree_size, bytes(head.root), head.sealed_at),
    )


async def test_nothing_is_added_to_a_tree_whose_head_somebody_else_signed(db: Database) -> None:
    await sealed(db, 2)
    false = (
        "INSERT INTO audit_heads SELECT tree_size + 1, root, frontier, sealed_at, signature,"
        " public_key FROM audit_heads"
    )
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text(false))
        tx.audit("read", "thing:2")
    with pytest.raises(HeadForged):
        await seal(db)


async def test_nothing_waiting_makes_no_new_head(db: Database) -> None:
    await sealed(db, 2)
    assert await seal(db) == 0


@pytest.mark.parametrize("wrong", ["²", "9" * 40, "-1", "x", "1"])
async def test_a_page_token_of_nobody_is_refused_by_name(db: Database, wrong: str) -> None:
    request = audit_pb2.ListEntriesRequest(page=Page(token=wrong))
    with pytest.raises(PageTokenWrong):
        await reader(db, auditor("*")).list_entries(request)
    with pytest.raises(PageTokenWrong):
        await reader(db, auditor("*"), records_attempts=True).attempts(token=wrong)


async def test_a_page_token_is_its_readers_for_one_query(db: Database) -> None:
    await sealed(db, 3)
    auditing, checking = reader(db, auditor("*")), reader(db, VERIFIER)
    await assert_token_is_bound(
        auditing.list_entries,
        audit_pb2.ListEntriesRequest(),
        by_others=checking.list_entries,
        other_query=audit_pb2.ListEntriesRequest(with_hidden=True),
    )


async def mixed_log(db: Database) -> None:
    async with db.begin(SYSTEM) as tx:
        tx.audit("read", "thing:almaty", region="KZ-75")
        tx.audit("read", "thing:astana", region="KZ-71")
        tx.audit("read", "thing:secret", region="KZ-75", confidential=True)
        tx.audit("list", "thing:everywhere")
    assert await seal(db) == 4


async def test_an_auditor_sees_his_regions_and_nothing_confidential(db: Database) -> None:
    await mixed_log(db)
    assert objects(await reader(db, auditor("KZ-75")).entries()) == ["thing:almaty"]
    assert objects(await reader(db, auditor("KZ-71", "KZ-47")).entries()) == ["thing:astana"]
    everywhere = ["thing:almaty", "thing:astana", "thing:everywhere"]
    assert objects(await reader(db, auditor("*")).entries()) == everywhere
    assert objects(await reader(db, VERIFIER).entries()) == everywhere


async def test_pages_go_on_where_everything_on_them_is_hidden(db: Database) -> None:
    await mixed_log(db)
    assert objects(await reader(db, auditor("*")).entries(size=1)) == [
        "thing:almaty",
        "thing:astana",
        "thing:everywhere",
    ]


@pytest.mark.parametrize("caller", [VERIFIER, auditor("KZ-75")])
async def test_the_whole_log_can_be_checked_by_who_may_not_see_all_of_it(
    db: Database, caller: Caller
) -> None:
    await mixed_log(db)
    entries = await reader(db, caller).entries(with_hidden=True)
    head = await newest_head(db)
    assert [entry.leaf_index for entry in entries] == [0, 1, 2, 3]
    assert entries[2].canonical == b""
    leaves = [
        merkle.leaf_hash(one.canonical) if one.canonical else one.leaf_hash for one in entries
    ]
    assert merkle.root(leaves) == bytes(head.root)


async def test_a_hidden_entry_that_was_changed_shows_all_the_same(
    db: Database, owner_execute: Any
) -> None:
    await mixed_log(db)
    forged = b'{"action":"read","object":"thing:forged"}'
    await owner_execute(
        "UPDATE audit SET canonical = :c WHERE canonical LIKE '%secret%'", {"c": forged}
    )
    entries = await reader(db, VERIFIER).entries(with_hidden=True)
    leaves = [entry.leaf_hash for entry in entries]
    assert merkle.root(leaves) != bytes((await newest_head(db)).root)


async def test_entries_of_before_there_were_classes_follow_the_services_rule(
    db: Database,
) -> None:
    async with db.begin(SYSTEM) as tx:
        for kind in ("thing", "secret"):
            entry = AuditEntry(
                new_id(), system_clock(), "read", f"{kind}:old", tx.scope.actor, "", "KZ-75"
            )
            content = json.loads(entry.canonical())
            del content["class"]
            canonical = json.dumps(content).encode()
            tx.add(audit, {"entry_id": entry.entry_id, "canonical": canonical})
            tx.add(audit_pending, {"entry_id": entry.entry_id})
    await seal(db)
    one = reader(db, auditor("KZ-75"), hidden_unclassified=frozenset({"secret"}))
    assert objects(await one.entries()) == ["thing:old"]


async def test_reading_the_log_is_in_the_log(db: Database) -> None:
    await mixed_log(db)
    await reader(db, auditor("*")).entries(size=3)
    first, second = await written(db, "read_audit")
    assert (first["actor"], first["purpose"]) == ("operator/auditor-1", "yearly audit")
    assert first["facts"] == {"from": "0", "to": "1", "read": "2"}
    assert second["facts"] == {"from": "3", "to": "3", "read": "1"}


async def test_who_sees_nothing_of_a_page_leaves_no_entry(db: Database) -> None:
    await mixed_log(db)
    await reader(db, auditor("KZ-10")).entries()
    assert await written(db, "read_audit") == []


async def test_a_check_from_outside_is_recorded_once_and_the_log_does_not_grow_by_itself(
    db: Database,
) -> None:
    await sealed(db, 7)
    for run in (1, 2, 3):
        await reader(db, VERIFIER).entries(size=2, with_hidden=True)
        assert len(await written(db, "read_audit")) == run
        await seal(db)
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(text("SELECT count(*) FROM audit")) == 7 + 3


class ThingNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "THING_NOT_FOUND"


def fact(attempt: Attempt) -> Event:
    message = audit_pb2.Attempt(attempt_id=str(attempt.attempt_id))
    return Event("scratch.v1.refused", f"attempt:{attempt.attempt_id}", 1, attempt.region, message)


async def ask(db: Database, caller: Caller, asked: str, hidden: Record | None) -> None:
    async def find(tx: Tx) -> Record | None:
        assert tx.scope.kind == "system"
        return hidden

    attempts = Attempts(db, system_clock, fact)
    with pytest.raises(ThingNotFound):
        async with attempts.recorded(caller, asked, find, ThingNotFound):
            raise ThingNotFound


async def outbox(db: Database) -> list[Any]:
    async with db.begin(SYSTEM) as tx:
        return list((await tx.execute(text("SELECT * FROM outbox ORDER BY position"))).all())


async def test_an_attempt_to_open_what_is_hidden_is_recorded_and_told(db: Database) -> None:
    stranger = auditor("KZ-71", role="inspector")
    await ask(db, stranger, "thing:1", Record("thing:1", "KZ-75", confidential=True))
    [entry] = await written(db, "open_refused")
    assert (entry["actor"], entry["purpose"]) == ("operator/inspector-1", "yearly audit")
    assert (entry["object"], entry["region"]) == ("thing:1", "KZ-75")
    assert (entry["class"], entry["facts"]) == ("confidential", {"record": "hidden"})
    [event] = await outbox(db)
    assert (event.subject, event.region) == ("scratch.v1.refused", "KZ-75")
    assert event.aggregate == f"attempt:{entry['id']}"


async def test_what_does_not_exist_is_recorded_and_told_to_nobody(db: Database) -> None:
    await ask(db, auditor("KZ-71", role="inspector"), "thing:9", None)
    [entry] = await written(db, "open_refused")
    assert (entry["object"], entry["region"]) == ("thing:9", "")
    assert entry["facts"] == {"record": "unknown"}
    assert await outbox(db) == []


class Counted:
    """A database that counts its transactions, each under whose scope."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.scopes: list[str] = []

    def begin(self, scope: Scope) -> AbstractAsyncContextManager[Tx]:
        self.scopes.append(scope.kind)
        return self._db.begin(scope)


async def test_the_same_steps_are_taken_whether_it_exists_or_not(db: Database) -> None:
    """So that the time of the answer does not tell."""
    steps = []
    for hidden in (Record("thing:1", "KZ-75"), None):
        counted = Counted(db)
        await ask(counted, auditor("KZ-71"), "thing:1", hidden)  # type: ignore[arg-type]
        steps.append(counted.scopes)
    assert steps[0] == steps[1] == ["system", "operator"]


async def test_what_a_service_asks_by_itself_is_no_attempt(db: Database) -> None:
    await ask(db, Caller("service", "fines"), "thing:1", Record("thing:1", "KZ-75"))
    assert await written(db, "open_refused") == []


async def test_internal_security_lists_the_attempts_of_its_regions_newest_first(
    db: Database,
) -> None:
    stranger = auditor("KZ-71", role="inspector")
    for number, region in enumerate(("KZ-75", "KZ-71", "KZ-75")):
        hidden = Record(f"thing:{number}", region, confidential=bool(number))
        await ask(db, stranger, "thing", hidden)
    rules = {"records_attempts": True}
    security = reader(db, auditor("KZ-75", role="internal_security"), **rules)
    listed = (await security.attempts()).attempts
    assert [(one.object, one.actor, one.hidden) for one in listed] == [
        ("thing:2", "operator/inspector-1", True),
        ("thing:0", "operator/inspector-1", True),
    ]
    page = await security.attempts(size=1)
    rest = await security.attempts(size=2, token=page.next_page_token)
    assert [one.object for one in (*page.attempts, *rest.attempts)] == ["thing:2", "thing:0"]
    assert len(await written(db, "read_attempts")) == 3
    elsewhere = reader(db, auditor("KZ-10", role="internal_security"), **rules)
    assert not (await elsewhere.attempts()).attempts


async def test_a_page_token_of_attempts_is_its_readers(db: Database) -> None:
    for number in range(3):
        hidden = Record(f"thing:{number}", "KZ-75", confidential=True)
        await ask(db, auditor("KZ-71", role="inspector"), "thing", hidden)
    one, other = (
        reader(db, auditor("KZ-75", role=role), records_attempts=True)
        for role in ("internal_security", "security")
    )
    await assert_token_is_bound(
        one.list_attempts, audit_pb2.ListAttemptsRequest(), by_others=other.list_attempts
    )


async def test_an_attempt_of_ones_own_is_listed_for_others_alone(db: Database) -> None:
    """Else the list would tell him what the answer does not: that it exists and is hidden."""
    barred = auditor("KZ-75", role="internal_security")
    await ask(db, barred, "thing:1", Record("thing:1", "KZ-75", confidential=True))
    rules = {"records_attempts": True}
    assert not (await reader(db, barred, **rules).attempts()).attempts
    colleague = auditor("KZ-75", role="security")
    [attempt] = (await reader(db, colleague, **rules).attempts()).attempts
    assert attempt.object == "thing:1"
