"""Merging: of two cameras that turn out to be one, one is kept and the other is retired."""

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.refusals import Kind, Refusal, checks

from camera_registry.model.camera import Camera, CameraRetired
from camera_registry.model.description import VERIFICATIONS_MAX, Description


class KindsDiffer(Refusal):
    kind = Kind.STATE
    code = "KINDS_DIFFER"


@dataclass(frozen=True)
class Seen:
    """The versions, as last read by the caller, of the camera to be kept and of its duplicate."""

    kept: int
    duplicate: int


def is_merged(kept: Camera, duplicate: Camera) -> bool:
    """Whether the duplicate was already merged into the kept camera."""
    return duplicate.merged_into == kept.camera_id


def merge(
    kept: Camera, duplicate: Camera, *, seen: Seen, why: str, now: datetime
) -> tuple[Camera, Camera]:
    """Return the next versions of the kept camera and of its duplicate, which is retired at `now`.

    If the kept camera lacks nothing that the duplicate has, it is returned unchanged.

    Raises CameraRetired if one of them is retired, CameraChangedMeanwhile if the version of one
    differs from that in `seen`, KindsDiffer if their kinds differ, or BadRequest if both together
    have more verifications than a camera may have.
    """
    if duplicate.retired_at is not None:
        raise CameraRetired
    description = _supplemented(kept.description, duplicate.description)
    changed = kept.change(description, now, from_version=seen.kept)
    duplicate.require_version(seen.duplicate)
    if kept.description.kind is not duplicate.description.kind:
        raise KindsDiffer
    with checks() as check:
        fits = len(description.verifications) <= VERIFICATIONS_MAX
        expected = f"at most {VERIFICATIONS_MAX} verifications of both together"
        check.that(fits, "duplicate_id", expected)
    return changed, duplicate.retire(now, why=why, merged_into=kept.camera_id)


def _supplemented(given: Description, other: Description) -> Description:
    """A description with the other's verifications and bases that it lacks.

    Past measurements are judged by the verifications. The device key is not taken over: a device
    that is to sign for the kept camera is named by a change of its own.
    """
    numbers = {paper.number for paper in given.verifications}
    more = [paper for paper in other.verifications if paper.number not in numbers]
    bases = {name: basis for name, basis in other.bases.items() if name in given.functions}
    return replace(
        given,
        verifications=(*given.verifications, *more),
        bases=bases | given.bases,
    )
