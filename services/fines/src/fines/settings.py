"""The settings of the fines service, in addition to those in `partners.settings`."""

from pathlib import Path
from typing import ClassVar, Literal

from partners.settings import PartnerSettings


class FinesSettings(PartnerSettings):
    for_trials_alone: ClassVar[tuple[str, ...]] = (
        *PartnerSettings.for_trials_alone,
        "assume_years",
    )

    violations_address: str = ""
    # Whose audit logs witnesses keep the heads of; one without an address is left out.
    camera_registry_address: str = ""
    inference_gateway_address: str = ""
    citizen_reports_address: str = ""
    fines_address: str = ""
    # The vehicle register: plate -> record, or list of records (services/fines/README.md).
    vehicles_file: Path = Path()
    letters_dir: Path = Path()
    # How KoAP's terms in days are counted (Art. 739).
    koap_day_count: Literal["WORKING", "CALENDAR"] = "WORKING"
    # Years without a base value or calendar follow from the last that is known.
    assume_years: bool = False

    @property
    def audited_services(self) -> dict[str, str]:
        """The addresses of the services with audit logs, by name."""
        return {
            "camera-registry": self.camera_registry_address,
            "inference-gateway": self.inference_gateway_address,
            "violations": self.violations_address,
            "fines": self.fines_address,
            "citizen-reports": self.citizen_reports_address,
        }
