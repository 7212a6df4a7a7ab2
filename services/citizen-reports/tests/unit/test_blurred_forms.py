"""Who is shown which form of a file: few the clean one, everybody else the blurred one."""

from dataclasses import replace
from uuid import UUID

import pytest
from chassis.refusals import Refusal
from citizen_reports.model.blurred_forms import (
    MediaForm,
    MediaRequest,
    form_to_show,
    opens_clean,
    picture_of,
)
from citizen_reports.model.categories import Category
from citizen_reports.model.media import Announced, Media, MediaState
from citizen_reports.model.refusals import (
    MediaHasNoBlurredForm,
    MediaHasNoFirstFrame,
    MediaNotStored,
    MediaRefused,
)
from citizen_reports.model.statuses import Status

from .test_transitions import a_report

PHOTOGRAPH = replace(
    Media(UUID(int=1), UUID(int=2), Announced(9, "", "image/heic"), 9, MediaState.STORED),
    evidence_sha256="bb",
    shown_sha256="aa",
)
FILM, VOICE = (
    replace(PHOTOGRAPH, announced=Announced(9, "", kind)) for kind in ("video/mp4", "audio/amr")
)
FRAMED = replace(FILM, first_frame_sha256="cc")
FRAMED_BEFORE_ITS_FILM = replace(FRAMED, state=MediaState.COMPLETE)


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


def asked(*, blurred: bool = False, first_frame: bool = False) -> MediaRequest:
    return MediaRequest(UUID(int=1), UUID(int=2), blurred, first_frame)


@pytest.mark.parametrize(
    ("item", "first_frame"), [(PHOTOGRAPH, False), (FRAMED, True), (FRAMED_BEFORE_ITS_FILM, True)]
)
def test_everybody_else_is_shown_the_blurred_form_and_others_may_ask_for_it(
    item: Media, first_frame: bool
) -> None:
    found = {
        (may, wants): form_to_show(
            item, asked(blurred=wants, first_frame=first_frame), may_open_clean=may
        )
        for may in (True, False)
        for wants in (True, False)
    }
    assert found.pop((True, False)) is MediaForm.CLEAN
    assert set(found.values()) == {MediaForm.BLURRED}


@pytest.mark.parametrize("item", [FILM, FRAMED, VOICE])
def test_films_and_voice_messages_have_their_clean_form_alone(item: Media) -> None:
    assert form_to_show(item, asked(), may_open_clean=True) is MediaForm.CLEAN
    for may, wants in ((True, True), (False, True), (False, False)):
        with pytest.raises(MediaHasNoBlurredForm):
            form_to_show(item, asked(blurred=wants), may_open_clean=may)


@pytest.mark.parametrize(
    ("item", "first_frame", "refusal"),
    [
        (replace(PHOTOGRAPH, state=MediaState.COMPLETE), False, MediaNotStored),
        (FRAMED_BEFORE_ITS_FILM, False, MediaNotStored),
        (replace(FILM, state=MediaState.COMPLETE), True, MediaNotStored),
        (FILM, True, MediaHasNoFirstFrame),
        (VOICE, True, MediaHasNoFirstFrame),
        (replace(VOICE, state=MediaState.COMPLETE), True, MediaHasNoFirstFrame),
        (PHOTOGRAPH, True, MediaHasNoFirstFrame),
        (replace(PHOTOGRAPH, state=MediaState.REFUSED), False, MediaRefused),
        (replace(FILM, state=MediaState.REFUSED), True, MediaRefused),
    ],
)
def test_what_is_not_there_yet_is_told_from_what_never_comes(
    item: Media, first_frame: bool, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        form_to_show(item, asked(first_frame=first_frame), may_open_clean=True)


def test_photographs_and_first_frames_in_the_evidence_store_are_blurred() -> None:
    waiting = replace(PHOTOGRAPH, state=MediaState.COMPLETE, shown_sha256="")
    items = (PHOTOGRAPH, waiting, FILM, FRAMED, FRAMED_BEFORE_ITS_FILM, VOICE)
    assert [picture_of(item) for item in items] == ["aa", "", "", "cc", "cc", ""]
