"""Every look-up of a person by a bank stands in the audit log, without telling who he is."""

import json
from typing import Any

import pytest
from chassis.clock import new_id
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2 as pb

from .conftest import As
from .facts import CUSTOMER, PERSON, a_look_up

# Valid, and of nobody who was fined.
STRANGER = "850505400018"


@pytest.fixture
async def entries(database: Any) -> Any:
    """The look-ups since the test began, oldest first, with their canonical bytes."""
    before = await database.fetchval("SELECT coalesce(max(position), 0) FROM audit")

    async def read() -> tuple[list[dict[str, Any]], bytes]:
        rows = await database.fetch(
            "SELECT canonical FROM audit WHERE position > $1 ORDER BY position", before
        )
        found = [json.loads(row["canonical"]) for row in rows]
        whole = b"".join(row["canonical"] for row in rows)
        return [entry for entry in found if entry["action"] == "look_up"], whole

    return read


async def test_hits_and_misses_leave_the_blind_index_of_what_was_asked(
    a_fine: Any, plate: str, kaspi: As, entries: Any
) -> None:
    for request in (
        a_look_up(owner=PERSON),
        a_look_up(owner=STRANGER),
        a_look_up(plate=plate),
        a_look_up(plate="009ZZZ09"),
        pb.LookupFinesRequest(number="no number of a fine"),
    ):
        await kaspi.call("LookupFines", request)
    found, whole = await entries()
    owner, nobody, car, no_car, no_fine = [entry["facts"] for entry in found]
    assert {entry["actor"] for entry in found} == {"partner/kaspi"}
    assert owner["asked"] == a_fine["owner_index"].hex() != nobody["asked"]
    assert car["asked"] == a_fine["plate_index"].hex() != no_car["asked"]
    assert int(owner["found"]) > 0 and car["found"] == "1"
    assert [one["found"] for one in (nobody, no_car, no_fine)] == ["0", "0", "0"]
    assert [one["facts"]["key"] for one in found] == ["owner", "owner", "plate", "plate", "number"]
    for value in (PERSON, STRANGER, plate, "009ZZZ09", "no number of a fine"):
        assert value.encode() not in whole


async def test_two_spellings_of_a_plate_are_one_index(kaspi: As, entries: Any) -> None:
    for spelling in ("123ABC02", "kz 123 abc-02", "123 аВс 02"):
        await kaspi.call("LookupFines", a_look_up(plate=spelling))
    found, _ = await entries()
    assert len({entry["facts"]["asked"] for entry in found}) == 1
    assert len(found) == 3


async def test_for_whom_and_why_stand_in_the_entry(kaspi: As, halyk: As, entries: Any) -> None:
    order = str(new_id())
    ordered = a_look_up(owner=STRANGER, reason=pb.LOOKUP_REASON_ENFORCEMENT, customer_id=order)
    await kaspi.call("LookupFines", a_look_up(owner=STRANGER))
    await halyk.call("LookupFines", ordered)
    (first, second), _ = await entries()
    assert (first["facts"]["reason"], first["facts"]["customer"]) == ("OWNER", CUSTOMER)
    assert (second["facts"]["reason"], second["facts"]["customer"]) == ("ENFORCEMENT", order)
    assert first["purpose"] == "test"
    # Whoever asked, and whatever for, it is the same person.
    assert first["facts"]["asked"] == second["facts"]["asked"]


async def test_by_the_number_of_a_fine_nothing_need_be_told(
    a_fine: Any, kaspi: As, entries: Any
) -> None:
    by_number = pb.LookupFinesRequest(number=a_fine["number"])
    [fine] = (await kaspi.call("LookupFines", by_number)).fines
    assert fine.number == a_fine["number"]
    [entry], _ = await entries()
    assert not {"reason", "customer"} & set(entry["facts"])


@pytest.mark.parametrize(
    ("wrong", "refusal", "fields"),
    [
        ({"reason": 0}, "LOOKUP_REASON_REQUIRED", {"reason"}),
        ({"customer_id": ""}, "CUSTOMER_ID_REQUIRED", {"customer_id"}),
        ({"reason": 0, "customer_id": ""}, "BAD_REQUEST", {"reason", "customer_id"}),
        ({"reason": 99}, "BAD_REQUEST", {"reason"}),
        ({"customer_id": STRANGER}, "BAD_REQUEST", {"customer_id"}),
        ({"reason": -1, "customer_id": "x"}, "BAD_REQUEST", {"reason", "customer_id"}),
        ({"page": common_pb2.Page(token="x")}, "PAGE_TOKEN_WRONG", {"page.token"}),
        ({"page": common_pb2.Page(size=201)}, "BAD_REQUEST", {"page.size"}),
    ],
)
async def test_what_is_refused_is_kept_too(
    kaspi: As, entries: Any, wrong: dict[str, Any], refusal: str, fields: set[str]
) -> None:
    refused = await kaspi.refused("LookupFines", a_look_up(owner=STRANGER, **wrong))
    assert refused.reason == refusal
    assert {error.field for error in refused.fields} == fields
    await kaspi.call("LookupFines", a_look_up(owner=STRANGER))
    (first, second), whole = await entries()
    assert first["facts"] == {"key": "owner", "asked": second["facts"]["asked"], "refused": refusal}
    assert STRANGER.encode() not in whole


async def test_every_wrong_field_of_a_look_up_is_named_and_nobody_was_asked_for(
    kaspi: As, entries: Any
) -> None:
    wrong = a_look_up(owner="900101300018", customer_id="x")
    refused = await kaspi.refused("LookupFines", wrong)
    assert {error.field for error in refused.fields} == {"owner", "customer_id"}
    found, _ = await entries()
    assert found == []


async def test_a_quote_of_no_fine_leaves_an_entry(kaspi: As, database: Any) -> None:
    number = "000000000000000"
    assert (await kaspi.refused("QuoteFine", pb.QuoteFineRequest(number=number))).reason == (
        "FINE_NOT_FOUND"
    )
    entry = json.loads(
        await database.fetchval("SELECT canonical FROM audit ORDER BY position DESC LIMIT 1")
    )
    assert (entry["action"], entry["object"]) == ("quote", f"fine:{number}")
    assert entry["facts"] == {"found": "0"}
