"""The two forms in which a file of a report is opened at the desk, and who is shown which."""

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
    """Return whether an operator who sees this report may open its files in their clean form: the
    officer to whom it is assigned, and an inspector of what inspectors handle. `name` and `roles`
    are the operator's."""
    is_inspector = "inspector" in roles and report.category in INSPECTED
    return is_inspector or (bool(report.operator) and report.operator == name)


def is_photograph(item: Media) -> bool:
    return FAMILY_OF.get(item.announced.content_type) is Family.PHOTOGRAPH


def picture_of(item: Media) -> str:
    """Return the SHA-256 (hex) of the picture of which a blurred form is made: of a photograph's
    clean form, or of a film's first frame; "" before that lies in the evidence store, and for voice
    messages."""
    if not is_photograph(item):
        return item.first_frame_sha256
    is_stored = item.state is MediaState.STORED
    return (item.shown_sha256 or item.evidence_sha256) if is_stored else ""


@dataclass(frozen=True)
class MediaRequest:
    """What an operator asks to be shown of a report's file: with `blurred` the blurred form though
    he may open the clean one, with `first_frame` the first frame of a film instead of the film."""

    report_id: UUID
    media_id: UUID
    blurred: bool = False
    first_frame: bool = False


def form_to_show(item: Media, asked: MediaRequest, *, may_open_clean: bool) -> MediaForm:
    """Return the form in which a file, or its first frame, is shown.

    Raises MediaRefused of a file of which nothing is kept, MediaNotStored before what is asked for
    lies in the evidence store, MediaHasNoFirstFrame of a file that has none, or
    MediaHasNoBlurredForm of a film or voice message whose clean form may not be opened, or is not
    wanted.
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
