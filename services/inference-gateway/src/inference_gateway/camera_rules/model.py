"""The AI functions configured for a camera, and the refusal to overwrite a concurrent change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.refusals import Kind as RefusalKind
from chassis.refusals import Refusal

from inference_gateway.admission import Urgency


class ConfigurationChangedMeanwhile(Refusal):
    kind = RefusalKind.CONFLICT
    code = "CONFIGURATION_CHANGED_MEANWHILE"


@dataclass(frozen=True)
class CameraFunctions:
    """The AI functions configured for one camera. `rules` has the rules of each function, by the
    `field` of its `Kind`. A function without rules is off."""

    urgency: Urgency = Urgency.NORMAL
    plates: bool = False
    faces: bool = False
    rules: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    outside_models: tuple[str, ...] = ()

    @property
    def over_time(self) -> bool:
        """Whether any configured function needs consecutive frames rather than single pictures."""
        return any(self.rules.values())


DEFAULT = CameraFunctions(plates=True)
"""A camera without a configuration has its plates read and nothing else."""


@dataclass(frozen=True)
class Configuration:
    """A camera's stored configuration; version 0 means that none is stored. `content` is the
    serialised protobuf message CameraFunctions; equal messages have equal bytes."""

    version: int = 0
    content: bytes = b""
    configured_at: datetime | None = None
