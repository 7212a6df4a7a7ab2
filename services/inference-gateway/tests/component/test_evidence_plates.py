"""Plates are read in stored photographs for the owner of reports, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chassis.purpose import purpose_metadata
from tartip.inference.v1 import inference_pb2 as pb

from .callers import As, refused
from .conftest import picture_of
from .test_evidence import audited, photograph

pytestmark = pytest.mark.usefixtures("triton")


def read_plates(caller: As, sha256: str, purpose: str = "test") -> list[pb.Plate]:
    metadata = (*caller.metadata, *purpose_metadata(purpose))
    request = pb.ReadPlatesRequest(sha256=sha256)
    return list(caller.stub.ReadPlates(request, timeout=30, metadata=metadata).plates)


def test_plates_are_read_audited_and_not_kept(
    as_: Callable[..., As], rows: Callable[[str], list[Any]]
) -> None:
    owner = as_("citizen-reports")
    sha256 = owner.store(picture_of("725BDE07", seed=94))
    [frames] = rows("SELECT count(*) AS count FROM frames")
    [told] = rows("SELECT count(*) AS count FROM outbox")
    [plate] = read_plates(owner, sha256)
    assert (plate.text, plate.confidence > 0.5) == ("725BDE07", True)
    assert rows("SELECT count(*) AS count FROM frames") == [frames]
    assert rows("SELECT count(*) AS count FROM outbox") == [told]
    [entry] = audited(rows, "read_evidence", sha256)
    assert entry["purpose"] == "test"
    assert read_plates(owner, owner.store(photograph()[0])) == []


def test_nobody_else_and_nobody_without_a_purpose_has_plates_read(as_: Callable[..., As]) -> None:
    owner = as_("citizen-reports")
    sha256 = owner.store(picture_of("725BDE07", seed=95))
    for stranger in (as_("violations"), as_("tartip-cli"), as_("kaspi", kind="partner")):
        with refused("NOT_ALLOWED"):
            read_plates(stranger, sha256)
    with refused("PURPOSE_REQUIRED"):
        read_plates(owner, sha256, purpose="")
    with refused("EVIDENCE_NOT_FOUND"):
        read_plates(owner, "ab" * 32)
    with refused("BAD_REQUEST"):
        read_plates(owner, "463DXA02")
