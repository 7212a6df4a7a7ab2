"""Templates say what the reporter knows, in his language, and nothing else; answers wait."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.refusals import BadRequest, checks
from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.law import read_law
from citizen_reports.model.raising import raised
from citizen_reports.model.refusals import (
    AnswerNotInBulk,
    AnswerWaiting,
    ArrivalRequired,
    StatusNotAllowed,
    TemplateNotForReport,
)
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.model.templates import TEMPLATE_TEXT_MAX, Template, check_template
from citizen_reports.model.waiting_answers import (
    AnswerState,
    WaitingAnswer,
    leaves_at,
    require_bulk,
    with_waiting,
    without_waiting,
)

from .test_transitions import DEADLINES, DISPATCHER, NOW, a_report, an_emergency

OUTCOMES = read_law().outcomes
SAYS = {
    "kk": "{number} хабарламаңыз қаралды: {outcome}",
    "ru": "Сообщение {number} от {registered_on} рассмотрено: {outcome}",
    "en": "Your report {number} about {occurred_on} was looked at: {outcome}",
}
ANSWER_ID = new_id()


def a_template(**changes: Any) -> Template:
    template = Template("measures", 1, frozenset(), "measures_taken", SAYS)
    return replace(template, **changes)


def wrong(template: Template) -> set[tuple[str, str]]:
    with pytest.raises(BadRequest) as caught, checks() as check:
        check_template(check, template, OUTCOMES)
    return {(error.field, error.code) for error in caught.value.fields}


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("kk", "KZ75-2026-0000001 хабарламаңыз қаралды: шаралар қолданылды"),
        ("ru", "Сообщение KZ75-2026-0000001 от 23.11.2026 рассмотрено: меры приняты"),
        (
            "en",
            "Your report KZ75-2026-0000001 about 23.11.2026 was looked at: measures were taken",
        ),
    ],
)
def test_a_template_is_written_in_the_language_of_the_reporter(language: str, says: str) -> None:
    report = replace(a_report(Status.IN_WORK), language=language)
    assert a_template().written_for(report, OUTCOMES) == says


def test_a_template_and_its_outcome_are_for_the_kinds_that_they_name() -> None:
    report = a_report(Status.IN_WORK)
    other = a_template(categories=frozenset({Category.OTHER}))
    for unfit in (other, a_template(outcome="officer_at_fault")):
        with pytest.raises(TemplateNotForReport):
            unfit.written_for(report, OUTCOMES)


def test_every_wrong_text_and_outcome_of_a_template_is_named_at_once() -> None:
    texts = {"kk": "{number} {number}", "ru": "Приняты меры {iin}", "en": "Measures { taken"}
    assert wrong(a_template(texts=texts, outcome="officer_at_fault")) == {
        ("texts.kk", "ANSWER_SAYS_NOTHING"),
        ("texts.ru", "PLACEHOLDER_UNKNOWN"),
        ("texts.en", "PLACEHOLDER_UNKNOWN"),
        ("outcome", "OUTCOME_UNKNOWN"),
    }
    long = SAYS | {"en": "very long " * TEMPLATE_TEXT_MAX}
    assert wrong(a_template(texts=long)) == {("texts.en", "TEXT_TOO_LONG")}
    with checks() as check:
        check_template(check, a_template(), OUTCOMES)


def test_a_report_waits_with_one_answer_and_any_move_sets_it_aside() -> None:
    report = a_report(Status.IN_WORK)
    waiting = with_waiting(report, ANSWER_ID, DISPATCHER, "measures_taken", NOW)
    assert (waiting.status, waiting.waiting_answer) == (Status.IN_WORK, ANSWER_ID)
    assert waiting.version == report.version + 1
    with pytest.raises(AnswerWaiting):
        with_waiting(waiting, new_id(), DISPATCHER, "measures_taken", NOW)
    moves: list[Callable[[Report], Report]] = [
        lambda one: one.answer(DISPATCHER, "measures_taken", NOW),
        lambda one: one.route("KZ-75-duty"),
        lambda one: one.ask(DEADLINES.table.question_reasons[0], NOW, DEADLINES),
        lambda one: raised(one, Category.COMPLAINT_ABOUT_OFFICER, "unit", NOW, DEADLINES),
    ]
    assert [move(waiting).waiting_answer for move in moves] == [None] * len(moves)
    assert waiting.escalate(DeadlineKind.ANSWER, 1, "supervisor").waiting_answer == ANSWER_ID


def test_what_may_not_be_answered_may_not_wait_either() -> None:
    for status, refusal in ((Status.ROUTED, StatusNotAllowed), (Status.ANSWERED, StatusNotAllowed)):
        with pytest.raises(refusal):
            with_waiting(a_report(status), ANSWER_ID, DISPATCHER, "measures_taken", NOW)
    with pytest.raises(ArrivalRequired):
        with_waiting(an_emergency(Status.IN_WORK), ANSWER_ID, DISPATCHER, "protected", NOW)


def test_taking_one_answer_back_leaves_another_that_waits() -> None:
    waiting = with_waiting(a_report(Status.IN_WORK), ANSWER_ID, DISPATCHER, "explained", NOW)
    assert without_waiting(waiting, ANSWER_ID).waiting_answer is None
    assert without_waiting(waiting, new_id()).waiting_answer == ANSWER_ID


def test_an_answer_leaves_after_the_time_for_undo_and_not_after_its_deadline() -> None:
    report, undo = a_report(Status.IN_WORK), timedelta(minutes=5)
    due = report.answer_due_at
    assert due is not None
    soon, late = due - timedelta(minutes=1), due + timedelta(hours=1)
    assert leaves_at(report, NOW, undo) == NOW + undo
    assert leaves_at(report, soon, undo) == due
    assert leaves_at(report, late, undo) == late + undo
    waits_for_reporter = a_report(Status.WAITS_FOR_REPORTER)
    assert leaves_at(waits_for_reporter, soon, undo) == soon + undo


def test_violence_children_and_complaints_are_answered_one_by_one() -> None:
    refused = set()
    for category in Category:
        try:
            require_bulk(a_report(Status.IN_WORK, category))
        except AnswerNotInBulk:
            refused.add(category)
    assert refused == {
        Category.DOMESTIC_VIOLENCE,
        Category.INCIDENT_WITH_CHILD,
        Category.COMPLAINT_ABOUT_OFFICER,
    }


def test_an_answer_that_its_report_names_no_more_counts_as_set_aside() -> None:
    report = a_report(Status.IN_WORK)
    answer = WaitingAnswer(
        ANSWER_ID, report.report_id, new_id(), "d", "measures", 1, "explained", NOW, NOW
    )
    waiting = replace(report, waiting_answer=ANSWER_ID)
    assert answer.state_on(waiting) is AnswerState.WAITING
    assert answer.state_on(report) is AnswerState.SET_ASIDE
    for ended in (AnswerState.SENT, AnswerState.UNDONE):
        assert replace(answer, state=ended).state_on(report) is ended
