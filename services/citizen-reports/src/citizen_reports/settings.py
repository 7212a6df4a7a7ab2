"""The settings that only this service has."""

from typing import ClassVar

from partners.settings import PartnerSettings
from pydantic import Field


class ReportsSettings(PartnerSettings):
    for_trials_alone: ClassVar[tuple[str, ...]] = (
        *PartnerSettings.for_trials_alone,
        "assume_years",
        "trial_officers",
    )

    inference_gateway_address: str = ""
    camera_registry_address: str = ""
    # Years of which the law has not told the calendar follow from the last known.
    assume_years: bool = False
    # The hosts to which webhooks may go: "host" or "host:port", with commas between; "" for none.
    webhook_hosts: str = ""
    # A PEM file with the authorities that may sign their certificates; "" for those of the machine.
    webhook_ca: str = ""
    # How long an answer from a template can be undone before it leaves.
    answer_undo_seconds: float = Field(300.0, ge=0, le=3600)
    # Officers who are added at the start if nobody has their log-in: "log-in:unit:family:given",
    # with semicolons between.
    trial_officers: str = ""
