"""The settings of this service, in addition to those common to all services."""

from chassis.settings import Settings
from pydantic import Field

from camera_registry.model.camera import SILENCE


class RegistrySettings(Settings):
    # The interval without a heartbeat after which a camera is no longer known to be alive.
    silence_seconds: float = Field(SILENCE.total_seconds(), ge=1, le=3600)
