"""Words of danger propose that a report is urgent; an operator decides; nothing is ever lowered."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from citizen_reports.model.categories import EMERGENCIES, Category
from citizen_reports.model.danger_words import Reason, read_lexicon
from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.law import read_law
from citizen_reports.model.raising import raised
from citizen_reports.model.refusals import (
    AlreadyUrgent,
    ArrivalRequired,
    StatusNotAllowed,
    UrgencyNotProposed,
)
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status, Urgency
from citizen_reports.model.urgency import (
    LOOK_WITHIN,
    comes_first,
    confirmed,
    declined,
    ladder_category,
    look_at,
    proposed,
    reasons_of,
)
from citizen_reports.storage.queue import place_in_queue

from .test_transitions import DISPATCHER, NOW, a_report

DEADLINES = read_law().deadlines
CASES = Path(__file__).parent / "urgency_cases.txt"
# What is missed costs more than what is looked at in vain.
RECALL_MIN = 0.97
PRECISION_MIN = 0.95
WORDS = (Reason("weapon", "нож"),)


class Case(NamedTuple):
    is_urgent: bool
    language: str
    kind: str
    text: str
    address: str

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return read_lexicon().reasons(self.text, self.address, self.kind)


def cases() -> list[Case]:
    found = []
    for line in CASES.read_text().splitlines():
        if line.startswith(("+ ", "- ")):
            mark, language, kind, rest = line.split(" ", 3)
            text, _, address = rest.partition(" || ")
            found.append(Case(mark == "+", language, kind, text, address))
    return found


def test_the_lexicon_finds_what_is_urgent_and_little_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    every = cases()
    assert len(every) >= 150
    for language in ("ru", "kk", "mixed", "kk-latn", "en", ""):
        some = [case for case in every if not language or case.language == language]
        right = sum(case.is_urgent and bool(case.reasons) for case in some)
        precision = right / sum(bool(case.reasons) for case in some)
        recall = right / sum(case.is_urgent for case in some)
        with capsys.disabled():
            name = language or "all"
            sys.stdout.write(f"\ntriage {name}: {len(some)} texts, {precision=:.3f}, {recall=:.3f}")
    missed = [case.text for case in every if case.is_urgent and not case.reasons]
    wrong = [case.text for case in every if not case.is_urgent and case.reasons]
    assert recall >= RECALL_MIN, missed
    assert precision >= PRECISION_MIN, wrong


@pytest.mark.parametrize(
    ("text", "dangers"),
    [
        ("У соседа нож, он бегает по двору", {"weapon", "person"}),
        ("Көршімнің қолында пышақ бар", {"weapon", "person"}),
        ("Көршімнің қолында пышак бар, олтиремин дейди", {"weapon", "person", "killing"}),
        ("ol meni oltiremin deidi", {"killing"}),
        ("Үй өртеніп жатыр", {"fire", "now"}),
        ("Помогитеее, горит дом!", {"fire", "help"}),
        ("Он не дышит", {"dying"}),
    ],
)
def test_words_are_found_by_their_forms_and_told_as_reasons(text: str, dangers: set[str]) -> None:
    reasons = read_lexicon().reasons(text)
    assert {reason.danger for reason in reasons} == dangers
    plain = text.casefold().replace("еее", "е")
    assert all(word in plain for reason in reasons for word in reason.words.split())


@pytest.mark.parametrize(
    "text",
    [
        "Пожара нет",
        "Он никого не бьёт",
        "Өрт жоқ, ешкім жаралы емес",
        "There is no fire",
        "В прошлом году здесь был пожар",
        "Былтыр осы жерде өрт болған",
        "Убитая дорога и мёртвая зона",
        "Фильм «Убить Билла» шёл слишком громко",
        "«Өрт» фильмін қосып қойды",
        "Помогите, срочно, сейчас, школа",
        "Орталық, отын, кровать, ножницы, қанша, қандай",
    ],
)
def test_what_is_denied_past_a_title_or_another_word_is_no_danger(text: str) -> None:
    assert read_lexicon().reasons(text) == ()


def test_kind_and_place_add_to_the_words() -> None:
    lexicon = read_lexicon()
    assert lexicon.reasons("Нож лежит в траве") == ()
    assert lexicon.reasons("Нож лежит в траве", kind="incident")
    assert lexicon.reasons("Нож лежит в траве", "школа №12")
    assert lexicon.reasons("Очень шумно", "школа №12", "incident") == ()


def test_a_long_text_has_a_bounded_number_of_reasons() -> None:
    text = "нож муж бьёт меня пожар граната выстрел кровь помогите сейчас школа " * 60
    assert 2 <= len(read_lexicon().reasons(text)) <= 13


def test_an_emergency_is_not_proposed_again() -> None:
    for category in Category:
        report = a_report(Status.ROUTED, category)
        assert bool(reasons_of(report, "он угрожает убить меня")) is (category not in EMERGENCIES)


def test_a_proposal_is_confirmed_or_declined_and_never_lowers() -> None:
    report = a_report(Status.ROUTED, Category.OTHER)
    assert (report.is_emergency, comes_first(report), look_at(report)) == (False, False, None)
    assert proposed(report, ()) is report
    one = proposed(report, WORDS)
    assert (one.is_emergency, comes_first(one)) == (True, True)
    assert one.receipt is not None
    assert look_at(one) == one.receipt.registered_at + LOOK_WITHIN
    calm = declined(one)
    assert (calm.is_emergency, calm.urgency) == (False, Urgency.DECLINED)
    assert proposed(calm, WORDS).urgency is Urgency.PROPOSED, "new words are judged anew"
    for category in EMERGENCIES:
        emergency = replace(one, category=category)
        assert declined(emergency).is_emergency
    with pytest.raises(UrgencyNotProposed):
        declined(report)


def urgent(category: Category = Category.OTHER, status: Status = Status.ROUTED) -> Report:
    return confirmed(proposed(a_report(status, category), WORDS), NOW, DEADLINES)


def test_who_is_in_danger_is_reached_within_minutes_before_there_is_an_answer() -> None:
    report = urgent()
    assert report.response_due_at is not None and report.due_at == report.response_due_at
    assert report.response_due_at <= NOW.replace(microsecond=0) + LOOK_WITHIN * 3
    in_work = report.take(DISPATCHER, NOW, DEADLINES)
    with pytest.raises(ArrivalRequired):
        in_work.answer(DISPATCHER, "measures_taken", NOW)
    there = in_work.arrive(NOW)
    assert not comes_first(there)
    assert there.answer(DISPATCHER, "measures_taken", NOW).status is Status.ANSWERED
    assert proposed(report, WORDS) is report


def test_it_climbs_as_a_road_accident_does_unless_its_kind_has_a_ladder_of_emergencies() -> None:
    of = {category: urgent(category) for category in set(Category) - EMERGENCIES}
    ladders = {ladder_category(one, DeadlineKind.RESPONSE) for one in of.values()}
    assert ladders == {Category.ROAD_ACCIDENT, Category.COMPLAINT_ABOUT_OFFICER}
    for category, one in of.items():
        assert ladder_category(one, DeadlineKind.ANSWER) is category
    harmed = raised(of[Category.OTHER], Category.DOMESTIC_VIOLENCE, "KZ-75-x", NOW, DEADLINES)
    assert ladder_category(harmed, DeadlineKind.RESPONSE) is Category.DOMESTIC_VIOLENCE


def test_a_complaint_comes_first_without_a_clock_that_nobody_there_could_end() -> None:
    report = urgent(Category.COMPLAINT_ABOUT_OFFICER)
    assert report.response_due_at is None and comes_first(report)


@pytest.mark.parametrize("category", sorted(EMERGENCIES))
def test_an_emergency_cannot_be_confirmed(category: Category) -> None:
    with pytest.raises(AlreadyUrgent):
        urgent(category)


@pytest.mark.parametrize("status", [Status.ANSWERED, Status.CLOSED, Status.WITHDRAWN])
def test_what_is_over_cannot_be_confirmed(status: Status) -> None:
    with pytest.raises(StatusNotAllowed):
        urgent(status=status)


def test_danger_stands_above_what_is_long_overdue() -> None:
    calm = a_report(Status.ROUTED, Category.OTHER)
    assert calm.deadline is not None
    late = replace(calm, deadline=replace(calm.deadline, due_at=NOW.replace(year=2020)))
    danger = proposed(calm, WORDS)
    assert place_in_queue(danger) < place_in_queue(late) < place_in_queue(calm)
