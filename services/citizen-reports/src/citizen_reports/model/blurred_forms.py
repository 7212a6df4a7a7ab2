"""The two forms in which a file of a report is opened at the desk, and who is shown which."""

from collections.abc import Collection
from enum import StrEnum

from citizen_reports.model.categories import INSPECTED
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.media_kinds import FAMILY_OF, Family
from citizen_reports.model.refusals import MediaHasNoBlurredForm
from citizen_reports.model.report import Report


class MediaForm(StrEnum):
    CLEAN = "clean"
    # A photograph in which faces and plates cannot be recognised.
    BLURRED = "blurred"


def opens_clean(report: Report, name: str, roles: Collection[str]) -> bool:
    """Return whether an operator who sees this report may open its files in their clean form: the
    officer to whom it is assigned, and an inspector of what inspectors handle. `name` and `roles`
    are the operator's."""
    is_inspector = "inspector" in roles and report.category in INSPECTED
    return is_inspector or (bool(report.operator) and report.operator == name)


def is_photograph(item: Media) -> bool:
    return FAMILY_OF.get(item.announced.content_type) is Family.PHOTOGRAPH


def wants_blurring(item: Media) -> bool:
    """Return whether a blurred form is to be made of this file: a photograph in the evidence
    store."""
    return is_photograph(item) and item.state is MediaState.STORED


def form_to_show(item: Media, *, may_open_clean: bool, wants_blurred: bool) -> MediaForm:
    """Return the form in which a file is shown. `wants_blurred` asks for the blurred form though
    the clean one may be opened.

    Raises MediaHasNoBlurredForm of a film or voice message whose clean form may not be opened, or
    is not wanted.
    """
    if may_open_clean and not wants_blurred:
        return MediaForm.CLEAN
    if not is_photograph(item):
        raise MediaHasNoBlurredForm
    return MediaForm.BLURRED
