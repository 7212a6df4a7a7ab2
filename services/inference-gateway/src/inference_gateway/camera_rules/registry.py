"""The list of AI functions that follow objects over several frames. How to add one:
docs/adding-a-function.md."""

from typing import Final

from inference_gateway.camera_rules import crowds, left_objects, vehicles, zones
from inference_gateway.camera_rules.function import Kind

KINDS: Final[tuple[Kind, ...]] = (
    crowds.KIND,
    left_objects.KIND,
    zones.ZONES,
    zones.LINES,
    vehicles.KIND,
)
