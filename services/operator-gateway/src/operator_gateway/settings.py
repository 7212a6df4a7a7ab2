"""The settings of this service: its address and those of its peers."""

from typing import ClassVar

from chassis.settings import Settings


class GatewaySettings(Settings):
    for_trials_alone: ClassVar[tuple[str, ...]] = (*Settings.for_trials_alone, "assume_years")

    http_address: str = "127.0.0.1:8080"
    camera_registry_address: str = ""
    inference_gateway_address: str = ""
    violations_address: str = ""
    fines_address: str = ""
    citizen_reports_address: str = ""
    # Whether the services assume years without tables of the law; the notices say so.
    assume_years: bool = False

    @property
    def listens_on(self) -> str:
        return self.http_address

    @property
    def peer_addresses(self) -> dict[str, str]:
        return {
            "camera-registry": self.camera_registry_address,
            "inference-gateway": self.inference_gateway_address,
            "violations": self.violations_address,
            "fines": self.fines_address,
            "citizen-reports": self.citizen_reports_address,
        }
