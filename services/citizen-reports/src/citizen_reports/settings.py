"""What this service is told beside what every service is told."""

from chassis.settings import Settings


class ReportsSettings(Settings):
    inference_gateway_address: str = ""
