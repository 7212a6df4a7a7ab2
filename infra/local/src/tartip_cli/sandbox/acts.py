"""Decides what the desk of the sandbox does next with a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from law.report_outcomes import ReportOutcomes

from tartip_cli.sandbox import triggers
from tartip_cli.sandbox.triggers import words_in
from tartip_cli.topology import COUNTRY_DISPATCHER, COUNTRY_SUPERVISOR

_COMPLAINT, _TRAFFIC = "complaint_about_officer", "traffic_violation"
_REGIONS = ("KZ-71", "KZ-75")
# In all three languages, as the desk is not shown in which one the reporter wrote.
_QUESTION: Final = (
    "Толығырақ айтыңызшы. / Пожалуйста, уточните, что произошло. / Please tell us more about it."
)
_ANSWER: Final = (
    "Шаралар қабылданды, рақмет. / Меры приняты, спасибо за сообщение. / "
    "Measures were taken, thank you for the report."
)
_SECOND_ANSWER: Final = (
    "Басқа қызметкер қайта тексерді. / Другой сотрудник проверил ещё раз. / "
    "Another officer looked at it again, and measures were taken."
)


@dataclass(frozen=True)
class Desk:
    """Who works on a report at the desk, by operator id: first, and after the answer was
    disputed."""

    first: str
    oversight: str


_DESK = Desk(COUNTRY_DISPATCHER, COUNTRY_SUPERVISOR)
_SECURITY_DESK = Desk("security-1", "security-2")


@dataclass(frozen=True)
class Act:
    """A step of the desk: the last part of its REST path, who takes it, and the request's body."""

    step: str
    operator: str
    body: Mapping[str, object] = field(default_factory=dict)


def next_act(found: Mapping[str, Any], outcomes: ReportOutcomes) -> Act | None:
    """Return the next step with a report, None if the desk waits or has done all.

    `found` is the report as `GET /v1/reports/{id}` of the operator gateway shows it.
    """
    words, report = words_in(found["text"]), found["report"]
    if triggers.MANUAL in words:
        return None
    operator = operator_of(found)
    status = report["status"]
    if status == "routed" and triggers.MOVE in words and not _was_moved(found):
        return act_of("route", found)
    if status in ("routed", "disputed"):
        return Act("take", operator)
    if status == "in_work":
        return _in_work(found, words, outcomes)
    return None


def act_of(step: str, found: Mapping[str, Any], chosen: Mapping[str, object] = {}) -> Act:
    """Return a step with the sandbox's own texts and values, of which `chosen` replaces some.

    `step` is "take", "route", "ask", "answer", "record-arrival", "extend" or
    "accept-traffic-evidence".
    """
    operator = operator_of(found)
    if step == "extend":  # the head extends, whoever works on the report
        operator = COUNTRY_SUPERVISOR
    region = next(other for other in _REGIONS if other != found["report"]["region"])
    was_disputed = _has_been(found, "disputed")
    values: dict[str, Mapping[str, object]] = {
        "route": {"unit": f"{region}-duty", "region": region, "reason": "It happened there."},
        "ask": {"question": _QUESTION},
        "answer": {
            "answer": _SECOND_ANSWER if was_disputed else _ANSWER,
            "outcome": "measures_taken",
        },
        "extend": {"reason": "An examination takes longer.", "working_days": 5},
        "accept-traffic-evidence": {"plate": "001AAA02", "offence_code": "RED_LIGHT"},
    }
    return Act(step, operator, {**values.get(step, {}), **chosen})


def operator_of(found: Mapping[str, Any]) -> str:
    """Return the id of the operator who works on a report now."""
    desk = _SECURITY_DESK if found["report"]["category"] == _COMPLAINT else _DESK
    return desk.oversight if _has_been(found, "disputed") else desk.first


def _in_work(
    found: Mapping[str, Any], words: frozenset[str], outcomes: ReportOutcomes
) -> Act | None:
    report = found["report"]
    needs_arrival = found["emergency"] and not found["arrived_at"]
    if needs_arrival and triggers.NO_ARRIVAL not in words:
        return act_of("record-arrival", found)
    if triggers.ASK in words and not _has_been(found, "waits_for_reporter"):
        return act_of("ask", found)
    is_complaint = report["category"] == _COMPLAINT  # which nobody extends
    if triggers.EXTEND in words and not report["extended_at"] and not is_complaint:
        return act_of("extend", found)
    accepts = triggers.ACCEPT_EVIDENCE in words and report["category"] == _TRAFFIC
    if accepts and not found["accepted_offence_code"] and found["media"]:
        return act_of("accept-traffic-evidence", found)
    if triggers.NO_ANSWER in words or needs_arrival:
        return None
    told = [one.id for one in outcomes.of(report["category"]) if one.id in words]
    return act_of("answer", found, {"outcome": told[0]} if told else {})


def _has_been(found: Mapping[str, Any], status: str) -> bool:
    return _times(found, status) > 0


def _was_moved(found: Mapping[str, Any]) -> bool:
    return _times(found, "routed") > 1


def _times(found: Mapping[str, Any], status: str) -> int:
    """How many steps of the report led to a status."""
    return [step["status"] for step in found["steps"]].count(status)
