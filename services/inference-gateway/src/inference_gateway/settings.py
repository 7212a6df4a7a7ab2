"""The settings of the inference gateway, in addition to those that all services have."""

from pathlib import Path

from chassis.settings import Settings


class InferenceSettings(Settings):
    triton_url: str
    # What this service presents to Triton; without them, its own certificate and key.
    triton_cert: Path | None = None
    triton_key: Path | None = None
    evidence_url: str
    camera_registry_address: str
    # Golden probes: the first round after the start, then one an hour, and more often while a
    # function is wrong; an answer that takes longer than the slowest is a wrong one.
    probe_first_after_seconds: float = 300.0
    probe_every_seconds: float = 3600.0
    probe_again_after_seconds: float = 30.0
    probe_slowest_seconds: float = 15.0
    # All evidence is read again within so many days, and no faster than so many bytes a second.
    evidence_check_days: float = 30.0
    evidence_check_bytes_per_second: int = 16 * 1024 * 1024
