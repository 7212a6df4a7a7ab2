"""Who is shown which form of a file: few the clean one, everybody else the blurred one."""

from dataclasses import replace
from uuid import UUID

import pytest
from citizen_reports.model.blurred_forms import MediaForm, form_to_show, opens_clean, wants_blurring
from citizen_reports.model.categories import Category
from citizen_reports.model.media import Announced, Media, MediaState
from citizen_reports.model.refusals import MediaHasNoBlurredForm
from citizen_reports.model.statuses import Status

from .test_transitions import a_report

PHOTOGRAPH = Media(UUID(int=1), UUID(int=2), Announced(9, "", "image/heic"), 9, MediaState.STORED)
FILM, VOICE = (
    replace(PHOTOGRAPH, announced=Announced(9, "", kind)) for kind in ("video/mp4", "audio/amr")
)


@pytest.mark.parametrize(
    ("category", "operator", "name", "roles", "is_clean"),
    [
        (Category.INCIDENT, "d-1", "d-1", {"dispatcher"}, True),
        (Category.INCIDENT, "d-1", "d-2", {"dispatcher"}, False),
        (Category.INCIDENT, "", "d-1", {"dispatcher"}, False),
        (Category.INCIDENT, "", "", {"dispatcher"}, False),
        (Category.INCIDENT, "d-1", "s-1", {"supervisor"}, False),
        (Category.TRAFFIC_VIOLATION, "d-1", "i-1", {"inspector"}, True),
        (Category.ROAD_ACCIDENT, "", "i-1", {"inspector", "dispatcher"}, True),
        # Whoever is an inspector too sees these as a dispatcher.
        (Category.DOMESTIC_VIOLENCE, "", "i-1", {"inspector", "dispatcher"}, False),
        (Category.COMPLAINT_ABOUT_OFFICER, "x", "i-1", {"inspector", "internal_security"}, False),
        (Category.COMPLAINT_ABOUT_OFFICER, "x", "x", {"internal_security"}, True),
    ],
)
def test_the_assigned_officer_and_inspectors_of_their_kinds_open_the_clean_form(
    category: Category, operator: str, name: str, roles: set[str], is_clean: bool
) -> None:
    report = replace(a_report(Status.IN_WORK), category=category, operator=operator)
    assert opens_clean(report, name, roles) is is_clean


def test_everybody_else_is_shown_the_blurred_form_and_others_may_ask_for_it() -> None:
    shown = {
        (may, wants): form_to_show(PHOTOGRAPH, may_open_clean=may, wants_blurred=wants)
        for may in (True, False)
        for wants in (True, False)
    }
    assert shown.pop((True, False)) is MediaForm.CLEAN
    assert set(shown.values()) == {MediaForm.BLURRED}


@pytest.mark.parametrize("item", [FILM, VOICE])
def test_films_and_voice_messages_have_their_clean_form_alone(item: Media) -> None:
    assert form_to_show(item, may_open_clean=True, wants_blurred=False) is MediaForm.CLEAN
    for may, wants in ((True, True), (False, True), (False, False)):
        with pytest.raises(MediaHasNoBlurredForm):
            form_to_show(item, may_open_clean=may, wants_blurred=wants)


def test_photographs_in_the_evidence_store_are_blurred() -> None:
    waiting = replace(PHOTOGRAPH, state=MediaState.COMPLETE)
    found = [wants_blurring(item) for item in (PHOTOGRAPH, waiting, FILM, VOICE)]
    assert found == [True, False, False, False]
