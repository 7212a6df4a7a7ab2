"""What this service is told beside the chassis's settings."""

from chassis.settings import Settings


class InferenceSettings(Settings):
    triton_url: str
    evidence_url: str
    camera_registry_address: str
