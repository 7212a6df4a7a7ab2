"""The settings that only this service has."""

from typing import ClassVar

from chassis.settings import Settings


class ReportsSettings(Settings):
    for_trials_alone: ClassVar[tuple[str, ...]] = (*Settings.for_trials_alone, "assume_years")

    inference_gateway_address: str = ""
    # Years of which the law has not told the calendar follow from the last known.
    assume_years: bool = False
