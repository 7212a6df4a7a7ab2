"""The settings that only this service has."""

from pathlib import Path

from chassis.settings import Settings


class ViolationsSettings(Settings):
    camera_registry_address: str = ""
    citizen_reports_address: str = ""
    inference_gateway_address: str = ""
    # PEM of the authorities whose certificates officers sign with.
    officer_ca: Path = Path()
