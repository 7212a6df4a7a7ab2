"""The settings of this service, in addition to those common to all services."""

from chassis.settings import Settings
from pydantic import Field

from camera_registry.model.camera import INTERVAL


class RegistrySettings(Settings):
    # The interval at which hubs report; one and a half of it after a report it holds no longer.
    report_seconds: float = Field(INTERVAL.total_seconds(), ge=1, le=3600)
