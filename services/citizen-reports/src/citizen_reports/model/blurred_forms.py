"""The forms, clean or blurred, in which operators open files of reports, and who opens which."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from citizen_reports.model.categories import INSPECTED
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.media_kinds import FAMILY_OF, Family
from citizen_reports.model.refusals import (
    MediaHasNoBlurredForm,
    MediaHasNoFirstFrame,
    MediaNotStored,
    MediaRefused,
)
from citizen_reports.model.report import Report


class MediaForm(StrEnum):
    CLEAN = "clean"
    # A photograph, or a film's first frame, in which faces and plates cannot be recognised.
    BLURRED = "blurred"


def opens_clean(report: Report, name: str, roles: Collection[str]) -> bool:
    """Return whether an operator with this `name` and these `roles` may open the files of a report
    in their clean form. The officer to whom the report is assigned may do so, and inspectors if
    they handle reports of its category."""
    is_inspector = "inspector" in roles and report.category in INSPECTED
    return is_inspector or (bool(report.operator) and report.operator == name)


def is_photograph(item: Media) -> bool:
    return FAMILY_OF.get(item.announced.content_type) is Family.PHOTOGRAPH


def picture_of(item: Media) -> str:
    """Return the SHA-256 (hex) of the picture from which the blurred form of a file is made: the
    clean form of a photograph, or the first frame of a film. Returns "" for a voice message, and
    until this picture is in the evidence store."""
    if not is_photograph(item):
        return item.first_frame_sha256
    is_stored = item.state is MediaState.STORED
    return (item.shown_sha256 or item.evidence_sha256) if is_stored else ""


@dataclass(frozen=True)
class MediaRequest:
    """An operator's request to open a file. `blurred` asks for the blurred form even if the caller
    may open the clean form. `first_frame` asks for the first frame of a film, not for the film."""

    report_id: UUID
    media_id: UUID
    blurred: bool = False
    first_frame: bool = False


def form_to_show(item: Media, asked: MediaRequest, *, may_open_clean: bool) -> MediaForm:
    """Return the form in which the requested file, or its first frame, is to be shown.

    Raises MediaRefused if nothing of the file is kept, MediaNotStored if the file or the first
    frame is not in the evidence store yet, MediaHasNoFirstFrame if the file has none, or
    MediaHasNoBlurredForm for a film or voice message whose clean form the operator may not open or
    did not request. Does not check whether a blurred form was made yet.
    """
    if item.state is MediaState.REFUSED:
        raise MediaRefused
    is_stored = item.state is MediaState.STORED
    if asked.first_frame and not item.first_frame_sha256:
        is_coming = item.announced.family is Family.FILM and not is_stored
        raise MediaNotStored if is_coming else MediaHasNoFirstFrame
    if not asked.first_frame and not is_stored:
        raise MediaNotStored
    if may_open_clean and not asked.blurred:
        return MediaForm.CLEAN
    if not (is_photograph(item) or asked.first_frame):
        raise MediaHasNoBlurredForm
    return MediaForm.BLURRED
