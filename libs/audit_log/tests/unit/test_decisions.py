"""The hash of what was decided is one and the same, from a decision's values and from its row."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from audit_log.decision_audit import DecisionAudit
from audit_log.decisions import decided
from audit_log.record_kinds import RecordKind, hashes_in, lines_of
from chassis.audit_entry import AuditEntry
from tartip.audit.v1 import audit_pb2

HASH = bytes(range(32))
ENTRY = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
THING = RecordKind("thing", ("name", "place", "at", "parts"))
ROW: dict[str, Any] = {"name": "a", "place": 43.0, "at": datetime(2026, 6, 3, 6, tzinfo=UTC)}


class Letter(StrEnum):
    A = "a"


def hashed(row: Mapping[str, Any], kind: RecordKind = THING) -> str:
    return decided(kind, row, entry_id=ENTRY, object_ref="thing:1")


@pytest.mark.parametrize(
    "same",
    [
        {"place": 43},
        {"at": ROW["at"].astimezone(timezone(timedelta(hours=5)))},
        {"name": Letter.A},
        {"parts": None},
        {"other": "is not decided"},
    ],
)
def test_equal_values_have_one_hash_in_whatever_form_they_come(same: dict[str, Any]) -> None:
    assert hashed(ROW | same) == hashed(ROW)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "b"},
        {"name": None},
        {"place": 43.5},
        {"place": Decimal("43.5")},
        {"at": ROW["at"] + timedelta(microseconds=1)},
        {"at": date(2026, 6, 3)},
        {"parts": []},
        {"parts": [1]},
        {"parts": [{"x": b"1"}]},
    ],
)
def test_every_decided_field_is_part_of_the_hash(other: dict[str, Any]) -> None:
    assert hashed(ROW | other) != hashed(ROW)


def test_binary_values_are_hashed_in_whatever_type_they_come() -> None:
    assert hashed(ROW | {"parts": b"1"}) == hashed(ROW | {"parts": memoryview(b"1")})
    assert hashed(ROW | {"parts": b"1"}) != hashed(ROW | {"parts": b"2"})


def test_a_hash_is_of_one_entry_one_object_and_one_kind() -> None:
    """So that nobody learns from two hashes that two records are equal."""
    others = {
        decided(THING, ROW, entry_id=UUID(int=1), object_ref="thing:1"),
        decided(THING, ROW, entry_id=ENTRY, object_ref="thing:2"),
        hashed(ROW, replace(THING, name="part")),
    }
    assert len(others | {hashed(ROW)}) == 4


def test_a_field_that_is_added_later_changes_no_hash_of_before() -> None:
    wider = RecordKind("thing", (*THING.fields, "colour"))
    assert hashed(ROW | {"colour": None}, wider) == hashed(ROW)


def test_the_facts_of_an_entry_name_the_kinds() -> None:
    facts = {"decided": "1", "decided_part": "2", "cause": "3"}
    assert hashes_in("thing:1", facts) == {("thing:1", "thing"): "1", ("thing:1", "part"): "2"}
    assert (THING.fact_of("thing:1"), THING.fact_of("box:1")) == ("decided", "decided_thing")


def test_the_entry_of_a_batch_states_half_a_hash_for_each_object_in_order() -> None:
    lines = lines_of({"thing:2": "b" * 64, "thing:1": "a" * 64})
    assert lines == f"thing:1 {'a' * 32}\nthing:2 {'b' * 32}"
    facts = {THING.fact_of_batch: lines, "decided_part": "2"}
    assert hashes_in("box:1", facts) == {
        ("thing:1", "thing"): "a" * 32,
        ("thing:2", "thing"): "b" * 32,
        ("box:1", "part"): "2",
    }


@pytest.mark.parametrize(
    ("stated", "is_right"),
    [
        (HASH, True),
        (HASH[:16], True),
        (HASH[:15], False),
        (b"", False),
        (HASH[:15] + b"x", False),
        (HASH[:31] + b"x", False),
    ],
)
def test_a_record_is_as_decided_if_its_hash_begins_as_stated(stated: bytes, is_right: bool) -> None:
    audit = DecisionAudit()
    noted(audit, 0)
    record = audit_pb2.DecidedRecord(
        kind="thing", object="thing:1", leaf_hash=b"0", decided_sha256=stated, current_sha256=HASH
    )
    assert (list(audit.differences(record, [b"0"])) == []) is is_right


def noted(audit: DecisionAudit, index: int, action: str = "change") -> audit_pb2.AuditEntry:
    entry = AuditEntry(
        UUID(int=index), datetime.now(UTC), action, "thing:1", "", "", facts={"decided": "00"}
    )
    message = audit_pb2.AuditEntry(leaf_index=index, canonical=entry.canonical())
    audit.note(message)
    return message


def test_a_record_of_an_older_entry_is_found_and_one_vouched_for_again() -> None:
    audit, leaves = DecisionAudit(), [b"0", b"1", b"2"]
    noted(audit, 0)
    noted(audit, 1)
    as_it_was = audit_pb2.DecidedRecord(
        kind="thing",
        object="thing:1",
        leaf_index=0,
        leaf_hash=b"0",
        decided_sha256=HASH,
        current_sha256=HASH,
    )
    assert list(audit.differences(as_it_was, leaves)) == [
        "thing:1: it is as entry 0 decided, but the newest is entry 1"
    ]
    noted(audit, 2, action="baseline")
    assert list(audit.missing()) == ["thing:1: entry 2 vouches for it again, without a decision"]


def test_a_record_that_is_gone_or_there_twice_is_found() -> None:
    audit = DecisionAudit()
    noted(audit, 0)
    assert list(audit.missing()) == ["thing:1: entry 0 decided it, and it is gone"]
    record = audit_pb2.DecidedRecord(
        kind="thing",
        object="thing:1",
        leaf_hash=b"0",
        decided_sha256=HASH,
        current_sha256=HASH,
    )
    assert list(audit.differences(record, [b"0"])) == []
    assert list(audit.differences(record, [b"0"])) == ["thing:1: there is more than one"]
    assert list(audit.missing()) == []
