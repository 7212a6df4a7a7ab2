"""What a reporter is told of those who looked does not tell what his report has become."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.model.viewings import (
    PURPOSES,
    Capacity,
    Seen,
    ViewingPurpose,
    capacity_of,
    purpose_told,
    seen_in,
    unit_told,
)
from law.report_deadlines import Deadline

ROOT = Path(__file__).resolve().parents[4]
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
REPORT = Report(
    report_id=UUID(int=7),
    partner="kaspi",
    category=Category.OTHER,
    region="KZ-75",
    status=Status.ROUTED,
    language="ru",
    occurred_at=NOW,
    opened_at=NOW,
    story="",
    receipt=Receipt("KZ75-2026-1234567", NOW, Deadline(None, "r"), "KZ-75-duty", b"", None),
    unit="KZ-75-duty",
)


def test_internal_security_are_officers_like_all_others() -> None:
    assert capacity_of({"internal_security"}) is Capacity.OFFICER is capacity_of({"dispatcher"})
    assert capacity_of({"dispatcher", "supervisor"}) is Capacity.SUPERVISOR


def test_the_unit_is_told_as_the_app_is_told_it_everywhere() -> None:
    assert unit_told(REPORT, "KZ-75-traffic") == "KZ-75-traffic"
    for category in (Category.COMPLAINT_ABOUT_OFFICER, Category.INCIDENT_WITH_CHILD):
        raised = replace(REPORT, category=category, reported_category=Category.OTHER)
        assert unit_told(raised, "KZ-75-protection") == "KZ-75-duty"
    complaint = replace(REPORT, category=Category.COMPLAINT_ABOUT_OFFICER)
    assert unit_told(complaint, "inspectorate") == "KZ-75-duty"


def test_the_words_of_an_operator_are_not_told() -> None:
    told = purpose_told(Capacity.OFFICER, "Жалоба на Тестова")
    assert told is ViewingPurpose.OTHER is purpose_told(Capacity.OFFICER, "")
    assert purpose_told(Capacity.SERVICE, "any") is ViewingPurpose.EVIDENCE


def test_the_purposes_that_the_console_offers_are_told_by_their_codes() -> None:
    console = ROOT / "services/operator-gateway/src/operator_gateway/console"
    [offered] = re.findall(r"reports: (\[.*\])", (console / "purpose.js").read_text())
    texts = (console / "texts.js").read_text()
    for name in json.loads(offered):
        [said] = re.findall(rf'"{re.escape(name)}": (\[.*\])', texts)
        codes = {PURPOSES[text].value for text in json.loads(said)}
        assert codes == {name.removeprefix("purpose.")}


@pytest.mark.parametrize("words", [["media", "text"], ["text", "something", "media"]])
def test_parts_are_told_in_order_and_others_left_out(words: list[str]) -> None:
    assert seen_in(words) == (Seen.TEXT, Seen.MEDIA)
