"""What fines alone is told from outside."""

from pathlib import Path
from typing import Literal

from chassis.settings import Settings


class FinesSettings(Settings):
    violations_address: str = ""
    # plate -> {"make", "model", "owner": {"iin" or "bin", "name", "address", "phone"}}
    vehicles_file: Path = Path()
    letters_dir: Path = Path()
    # How KoAP's terms in days are counted (Art. 739).
    koap_day_count: Literal["WORKING", "CALENDAR"] = "WORKING"
