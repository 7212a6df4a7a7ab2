"""What the desk of a sandbox does, which faults come when, and whose folder is a sandbox's."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from law.report_outcomes import read_report_outcomes
from tartip.reports.v1 import reports_pb2 as pb
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Failure
from tartip_cli.sandbox.acts import next_act
from tartip_cli.sandbox.faults import Faults
from tartip_cli.sandbox.home import SandboxHome
from tartip_cli.sandbox.triggers import DESK, FAULTS, unknown, words_in
from tartip_cli.settings import find_checkout, read_sandbox_settings

OUTCOMES = read_report_outcomes()


def shown(text: str, *statuses: str, category: str = "incident", **changes: Any) -> dict[str, Any]:
    """A report as the desk shows it that has had these statuses."""
    report = {
        "report_id": "r",
        "status": statuses[-1],
        "category": category,
        "region": "KZ-75",
        "extended_at": changes.pop("extended_at", None),
    }
    return {
        "report": report,
        "text": text,
        "steps": [{"status": status} for status in statuses],
        "emergency": False,
        "arrived_at": None,
        "accepted_offence_code": "",
        "media": [],
        **changes,
    }


@pytest.mark.parametrize(
    ("text", "statuses", "changes", "step", "operator"),
    [
        ("", ["routed"], {}, "take", "dispatcher-country"),
        ("", ["routed", "in_work"], {}, "answer", "dispatcher-country"),
        ("sandbox:manual", ["routed"], {}, None, ""),
        ("sandbox:no_answer", ["routed"], {}, "take", "dispatcher-country"),
        ("sandbox:no_answer", ["routed", "in_work"], {}, None, ""),
        ("sandbox:ask", ["in_work"], {}, "ask", "dispatcher-country"),
        ("sandbox:ask", ["in_work", "waits_for_reporter"], {}, None, ""),
        ("sandbox:ask", ["in_work", "waits_for_reporter", "in_work"], {}, "answer", None),
        ("sandbox:extend", ["in_work"], {}, "extend", "supervisor-country"),
        ("sandbox:extend", ["in_work"], {"extended_at": "now"}, "answer", None),
        ("sandbox:move", ["routed"], {}, "route", "dispatcher-country"),
        ("sandbox:move", ["routed", "routed"], {}, "take", "dispatcher-country"),
        ("", ["in_work"], {"emergency": True}, "record-arrival", None),
        ("", ["in_work"], {"emergency": True, "arrived_at": "now"}, "answer", None),
        ("sandbox:no_arrival", ["in_work"], {"emergency": True}, None, ""),
        ("", ["answered", "disputed"], {}, "take", "supervisor-country"),
        ("", ["answered", "disputed", "in_work"], {}, "answer", "supervisor-country"),
        ("", ["answered"], {}, None, ""),
    ],
)
def test_the_desk_takes_one_step_after_another_as_the_words_say(
    text: str, statuses: list[str], changes: dict[str, Any], step: str | None, operator: str | None
) -> None:
    act = next_act(shown(text, *statuses, **changes), OUTCOMES)
    assert (act.step if act else None) == step
    if act and operator:
        assert act.operator == operator


def test_a_complaint_is_worked_on_by_internal_security_and_never_extended() -> None:
    complaint = shown("sandbox:extend", "routed", "in_work", category="complaint_about_officer")
    act = next_act(complaint, OUTCOMES)
    assert act is not None and (act.step, act.operator) == ("answer", "security-1")


def test_the_code_of_an_outcome_is_the_outcome_if_the_category_has_it() -> None:
    told = {}
    for category in ("domestic_violence", "other"):
        act = next_act(shown("sandbox:protected", "in_work", category=category), OUTCOMES)
        assert act is not None
        told[category] = act.body["outcome"]
    assert told == {"domestic_violence": "protected", "other": "measures_taken"}


def test_evidence_is_accepted_where_there_is_some() -> None:
    kind = {"category": "traffic_violation"}
    with_film = shown("sandbox:accept_evidence", "in_work", media=[{"media_id": "m"}], **kind)
    without = shown("sandbox:accept_evidence", "in_work", **kind)
    steps = [
        act.step for act in (next_act(with_film, OUTCOMES), next_act(without, OUTCOMES)) if act
    ]
    assert steps == ["accept-traffic-evidence", "answer"]


def test_a_word_that_means_nothing_is_named() -> None:
    words = words_in("Құлады sandbox:ask, sandbox:aks sandbox:not_confirmed")
    assert unknown(words, OUTCOMES) == ["aks"]


def test_the_guide_has_every_word_and_no_other() -> None:
    page = (find_checkout() / "docs" / "partners.md").read_text()
    words = words_in(page)
    assert not unknown(words, OUTCOMES)
    assert words >= {*DESK, *FAULTS}


def hand_in(text: str) -> pb.HandInReportRequest:
    return pb.HandInReportRequest(report=pb.OpenReportRequest(report_id="r", text=text))


def test_a_fault_of_a_text_happens_once_however_often_the_report_is_repeated() -> None:
    faults, request = Faults(), hand_in("sandbox:overloaded sandbox:answer_lost")
    refusals = [faults.refusal("kaspi", request) for _ in range(3)]
    assert [one and one.reason for one in refusals] == ["OVERLOADED", None, None]
    assert refusals[0] and refusals[0].retry_seconds
    lost = [faults.lost_answer("kaspi", request) for _ in range(3)]
    assert lost == ["answer_lost", "", ""]


def test_an_answer_is_lost_where_the_report_is_registered_and_not_before() -> None:
    faults = Faults()
    opened = pb.OpenReportRequest(report_id="r", text="sandbox:answer_lost sandbox:upload_broken")
    assert faults.refusal("kaspi", opened) is None and not faults.lost_answer("kaspi", opened)
    piece = pb.PutMediaRequest(report_id="r")
    assert [faults.lost_answer("kaspi", piece) for _ in range(2)] == ["upload_broken", ""]
    submit = pb.SubmitReportRequest(report_id="r")
    assert [faults.lost_answer("kaspi", submit) for _ in range(2)] == ["answer_lost", ""]


def test_an_ordered_fault_meets_the_next_calls_of_that_partner_alone() -> None:
    faults, request = Faults(), pb.GetReportRequest(report_id="r")
    faults.order("kaspi", "storage_away", 2)
    assert faults.refusal("halyk", request) is None
    refused = [faults.refusal("kaspi", request) for _ in range(3)]
    assert [one and one.reason for one in refused] == ["STORAGE_AWAY", "STORAGE_AWAY", None]
    faults.order("kaspi", "stream_broken", 1)
    assert [faults.stream_breaks("kaspi", "other") for _ in range(2)] == [True, False]


def test_the_clock_of_a_sandbox_moves_forward_alone_and_stays_moved(tmp_path: Path) -> None:
    home = SandboxHome(tmp_path / "sandbox")
    home.claim()
    assert home.offset() == dt.timedelta()
    home.move_clock(dt.timedelta(days=3))
    home.move_clock(dt.timedelta(hours=1))
    home.claim()
    assert SandboxHome(home.path).offset() == dt.timedelta(days=3, hours=1)
    for wrong in (dt.timedelta(), dt.timedelta(days=-1)):
        with pytest.raises(ValueError, match="forward"):
            home.move_clock(wrong)


def test_a_sandbox_takes_no_folder_of_an_ordinary_mesh_nor_gives_its_own(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    (ordinary / "tls").mkdir(parents=True)
    with pytest.raises(Failure, match="ordinary mesh"):
        SandboxHome(ordinary).claim()
    DataDir(ordinary).require_no_sandbox()
    home = SandboxHome(tmp_path / "sandbox")
    home.claim()
    with pytest.raises(Failure, match="tartip sandbox"):
        DataDir(home.path).require_no_sandbox()


@pytest.mark.parametrize(
    "variable",
    [
        {"TARTIP_ENVIRONMENT": "production"},
        {"TARTIP_ENVIRONMENT": "embedded"},
        {"TARTIP_DATABASE_URL": "postgresql://db"},
        {"TARTIP_NATS_URL": "tls://nats"},
        {"TARTIP_CLOCK_OFFSET": "-P3D"},
    ],
    ids=lambda variable: next(iter(variable.items()))[0],
)
def test_a_sandbox_runs_neither_elsewhere_nor_on_the_parts_of_others(
    variable: dict[str, str],
) -> None:
    with pytest.raises(Failure, match=next(iter(variable))):
        read_sandbox_settings(variable)


def test_a_sandbox_stands_beside_an_ordinary_mesh() -> None:
    settings = read_sandbox_settings({})
    assert settings.environment == "sandbox" and settings.is_trial
    assert settings.home.name == ".tartip-sandbox" and settings.port_base != 7100
    assert read_sandbox_settings({"TARTIP_PORT_BASE": "9000"}).port_base == 9000
