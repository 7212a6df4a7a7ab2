"""The rules of watch-lists: who may decide what, and what a request must say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.refusals import BadRequest, Refusal, checks
from inference_gateway.frames.model import FaceVerdict
from inference_gateway.watchlists.gallery import Near
from inference_gateway.watchlists.matcher import nearest, verdict
from inference_gateway.watchlists.model import (
    LONGEST,
    Asked,
    Basis,
    Candidate,
    CandidateState,
    Entry,
    EntryState,
    Review,
    Verdict,
    check_asked,
    closeness,
)
from vision.boxes import Box
from vision.faces.recognition import MATCH_THRESHOLD, SAME_PERSON

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asked(**changes: Any) -> Asked:
    told: dict[str, Any] = {
        "entry_id": new_id(),
        "region": "KZ-75",
        "basis": Basis.COURT_ORDER,
        "case_number": "C-2026/17",
        "purpose": "to find a missing witness",
        "expires_at": NOW + timedelta(days=30),
        "picture_sha256": b"p" * 32,
    }
    return Asked(**{**told, **changes})


def entry(**changes: Any) -> Entry:
    told: dict[str, Any] = {
        "entry_id": new_id(),
        "region": "KZ-75",
        "basis": Basis.COURT_ORDER,
        "case_number": "C-2026/17",
        "purpose": "to find a missing witness",
        "requested_by": "officer-1",
        "requested_at": NOW,
        "expires_at": NOW + timedelta(days=30),
    }
    return Entry(**{**told, **changes})


def in_force() -> Entry:
    return entry().approve("officer-2", NOW)


def candidate(*reviews: Review) -> Candidate:
    return Candidate(
        new_id(),
        new_id(),
        new_id(),
        "KZ-75",
        NOW,
        0.7,
        Box(1, 2, 3, 4),
        "0" * 64,
        "sha256:0",
        reviews=reviews,
    )


def review(officer: str, said: Verdict = Verdict.SAME_PERSON) -> Review:
    return Review(officer, said, "", NOW)


def refusal(decide: Any) -> str:
    with pytest.raises(Refusal) as told:
        decide()
    return told.value.reason


def wrong_fields(one: Asked) -> list[str]:
    with pytest.raises(BadRequest) as told, checks() as check:
        check_asked(check, one, NOW)
    return [error.field for error in told.value.fields]


def test_a_request_in_order_is_let_in() -> None:
    with checks() as check:
        check_asked(check, asked(), NOW)
        check_asked(check, asked(expires_at=NOW + LONGEST), NOW)


def test_every_wrong_field_is_told_at_once() -> None:
    one = asked(basis=None, case_number="C", purpose="because", expires_at=NOW)
    assert wrong_fields(one) == ["basis", "case_number", "purpose", "expires_at"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("case_number", "x" * 61),
        ("case_number", "C\n17"),
        ("purpose", "x" * 501),
        ("purpose", " " * 20),
        ("expires_at", NOW + LONGEST + timedelta(seconds=1)),
        ("expires_at", NOW - timedelta(seconds=1)),
        ("basis", None),
    ],
)
def test_each_rule_is_kept(field: str, value: Any) -> None:
    assert wrong_fields(asked(**{field: value})) == [field]


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "KZ-71"},
        {"basis": Basis.WANTED_PERSON},
        {"case_number": "C-2026/18"},
        {"purpose": "to find another witness"},
        {"expires_at": NOW + timedelta(days=31)},
        {"picture_sha256": b"q" * 32},
    ],
)
def test_every_field_counts_when_an_id_comes_again(changes: dict[str, Any]) -> None:
    assert asked(**changes).content != asked().content


def test_who_asked_may_not_approve() -> None:
    assert refusal(lambda: entry().approve("officer-1", NOW)) == "APPROVER_IS_REQUESTER"
    approved = entry().approve("officer-2", NOW)
    assert (approved.state, approved.approved_by) == (EntryState.IN_FORCE, "officer-2")
    assert approved.approve("officer-3", NOW) is approved
    assert refusal(lambda: approved.approve("officer-1", NOW)) == "APPROVER_IS_REQUESTER"


def test_what_is_over_does_not_come_in_force() -> None:
    over = entry().expires_at
    assert refusal(lambda: entry().approve("officer-2", over)) == "ENTRY_CLOSED"
    for closed in (entry().withdraw(), entry().expire(over)):
        assert refusal(lambda closed=closed: closed.approve("officer-2", NOW)) == "ENTRY_CLOSED"


def test_an_entry_ends_once() -> None:
    withdrawn = entry().approve("officer-2", NOW).withdraw()
    assert withdrawn.state is EntryState.WITHDRAWN
    assert withdrawn.withdraw() is withdrawn
    assert withdrawn.expire(withdrawn.expires_at) is withdrawn
    lasting = in_force()
    assert lasting.expire(lasting.expires_at - timedelta(seconds=1)) is lasting
    assert lasting.expire(lasting.expires_at).state is EntryState.EXPIRED


def test_a_lead_takes_two_people_who_did_not_ask() -> None:
    one = candidate()
    asker = review("officer-1")
    assert refusal(lambda: one.review(asker, entry=in_force())) == "REVIEWER_IS_REQUESTER"
    once = one.review(review("a"), entry=in_force())
    assert once.state is CandidateState.OPEN
    assert refusal(lambda: once.review(review("a"), entry=in_force())) == "REVIEWED_ALREADY"
    assert once.review(review("b"), entry=in_force()).state is CandidateState.LEAD


def test_nothing_comes_of_a_candidate_whose_entry_is_over() -> None:
    waiting = candidate(review("a"))
    in_time = in_force()
    over = (
        entry(),
        in_time.withdraw(),
        in_time.expire(in_time.expires_at),
        # Past its time, and nothing has closed it yet.
        replace(in_time, expires_at=NOW),
    )
    for one in over:
        for said in Verdict:
            told = refusal(lambda one=one, said=said: waiting.review(review("b", said), entry=one))
            assert told == "ENTRY_NOT_IN_FORCE"
    last = replace(in_time, expires_at=NOW + timedelta(seconds=1))
    assert waiting.review(review("b"), entry=last).state is CandidateState.LEAD


def test_one_other_person_ends_a_candidate() -> None:
    other = review("b", Verdict.OTHER_PERSON)
    ended = candidate(review("a")).review(other, entry=in_force())
    assert ended.state is CandidateState.DISMISSED
    assert candidate().review(other, entry=in_force()).state is CandidateState.DISMISSED
    assert refusal(lambda: ended.review(review("c"), entry=in_force())) == "CANDIDATE_DECIDED"


def test_between_the_thresholds_the_machine_does_not_know() -> None:
    assert verdict(None) is FaceVerdict.UNKNOWN
    assert verdict([]) is FaceVerdict.NO_MATCH
    between = [Near(1, (MATCH_THRESHOLD + SAME_PERSON) / 2)]
    assert verdict(between) is FaceVerdict.UNKNOWN
    assert nearest([between, None, []]) == {}
    assert nearest([[Near(1, MATCH_THRESHOLD)]]) == {}


def test_of_two_faces_the_one_nearest_to_an_entry_is_meant() -> None:
    best = nearest([[Near(1, 0.4), Near(2, 0.45)], None, [Near(1, 0.3)]])
    assert {number: (found.face, found.distance) for number, found in best.items()} == {
        1: (2, 0.3),
        2: (0, 0.45),
    }


def test_closeness_is_between_none_and_one() -> None:
    assert (closeness(0.0), closeness(0.25), closeness(1.7)) == (1.0, 0.75, 0.0)
