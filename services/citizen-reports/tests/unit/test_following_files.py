"""What may follow the report of an emergency, and until when."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.following_files import (
    EXAMINED_WITHIN,
    FOLLOW_LIFE,
    looked_at,
    may_follow,
    rest_is_taken,
)
from citizen_reports.model.media import Announced, Media, MediaState
from citizen_reports.model.statuses import Status

from .test_transitions import RECEIPT, a_report

HALF = Media(UUID(int=1), UUID(int=2), Announced(9, "", "video/mp4"), 4, MediaState.RECEIVING)
SECOND = timedelta(seconds=1)


def test_files_follow_in_emergencies_alone() -> None:
    following = {kind for kind in Category if may_follow(a_report(Status.OPEN, kind))}
    assert following == {
        *(Category.ROAD_ACCIDENT, Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD)
    }


@pytest.mark.parametrize(
    ("status", "state", "after", "is_taken"),
    [
        (Status.ROUTED, MediaState.RECEIVING, FOLLOW_LIFE - SECOND, True),
        (Status.ANSWERED, MediaState.RECEIVING, SECOND, True),
        (Status.ROUTED, MediaState.RECEIVING, FOLLOW_LIFE, False),
        (Status.CLOSED, MediaState.RECEIVING, SECOND, False),
        (Status.WITHDRAWN, MediaState.RECEIVING, SECOND, False),
        (Status.OPEN, MediaState.RECEIVING, SECOND, False),
        (Status.ROUTED, MediaState.REFUSED, SECOND, False),
        (Status.ROUTED, MediaState.STORED, SECOND, False),
    ],
)
def test_the_rest_is_taken_until_the_end_of_the_report_or_of_a_day(
    status: Status, state: MediaState, after: timedelta, is_taken: bool
) -> None:
    at = RECEIPT.registered_at + after
    for category in (Category.ROAD_ACCIDENT, Category.COMPLAINT_ABOUT_OFFICER):
        report = a_report(status, category)
        assert rest_is_taken(report, replace(HALF, state=state), at) is is_taken


def test_a_whole_file_is_looked_at_soon_and_a_part_when_its_rest_is_late() -> None:
    now = RECEIPT.registered_at
    assert looked_at(HALF, now) == now + FOLLOW_LIFE
    assert looked_at(replace(HALF, received_bytes=9), now) == now + EXAMINED_WITHIN
