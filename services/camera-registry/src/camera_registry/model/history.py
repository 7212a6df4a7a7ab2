"""The versions of a camera's description, and the differences between successive versions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise

from camera_registry.model.description import Description


@dataclass(frozen=True)
class Version:
    """A version of a camera's description, in force from `held_from` until the next version."""

    number: int
    held_from: datetime
    description: Description


def differences(before: Description, after: Description) -> list[str]:
    """Return the names of the fields that differ; those of the place begin with "place."."""
    places = [f"place.{name}" for name in _differing(before.place, after.place)]
    return [*(name for name in _differing(before, after) if name != "place"), *places]


def with_changes(versions: Sequence[Version], size: int) -> list[tuple[Version, list[str]]]:
    """Return the first `size` versions, each with the fields that differ from the next older one.

    `versions` are ordered newest first. Pass `size` + 1 versions, or all if there are fewer.
    """
    changes = [
        differences(before.description, after.description) for after, before in pairwise(versions)
    ]
    # Only the first version of all has none before it.
    return list(zip(versions, [*changes, []], strict=True))[:size] if versions else []


def _differing(before: object, after: object) -> list[str]:
    names = [field.name for field in fields(before)]  # type: ignore[arg-type]
    return [name for name in names if getattr(before, name) != getattr(after, name)]
