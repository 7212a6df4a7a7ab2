"""The settings that only services called by partners have."""

from typing import ClassVar

from chassis.settings import Settings
from pydantic import Field


class PartnerSettings(Settings):
    for_trials_alone: ClassVar[tuple[str, ...]] = (*Settings.for_trials_alone, "trial_partners")

    # How often the partners are read; a change applies everywhere after this time at most.
    partners_refresh_seconds: float = Field(15.0, gt=0, le=45)
    # Names, with commas between, that get a row with all scopes at the start if they have none.
    trial_partners: str = ""
