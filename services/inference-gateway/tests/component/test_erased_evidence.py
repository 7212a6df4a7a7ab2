"""Evidence whose term has passed is erased, with its key, and nothing that is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tartip.inference.v1 import inference_pb2
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .test_evidence import audited, photograph


def erase(caller: As, sha256: str) -> int:
    request = inference_pb2.EraseEvidenceRequest(sha256=sha256)
    answer: inference_pb2.EraseEvidenceResponse = caller.stub.EraseEvidence(request, timeout=10)
    return answer.erased


def test_evidence_is_erased_with_its_key_and_its_object(
    engines: RunningTestMesh, as_: Callable[..., As], rows: Callable[[str], list[Any]]
) -> None:
    owner = as_("citizen-reports")
    original, form = photograph()
    sha256 = owner.store(original)
    [row] = rows(f"SELECT shown_sha256, key_id FROM evidence WHERE sha256 = '{sha256}'")
    shown, key_id = row["shown_sha256"], row["key_id"]
    with refused("EVIDENCE_IN_USE"):
        erase(owner, shown)  # the original names it
    assert (erase(owner, sha256), erase(owner, sha256)) == (1, 0)
    assert owner.read(shown) == ("image/jpeg", form), "the form is kept"
    assert erase(owner, shown) == 1
    for digest in (sha256, shown):
        with refused("EVIDENCE_NOT_FOUND"):
            owner.read(digest)
        files = [path.name for path in engines.home.evidence.rglob("*") if path.is_file()]
        assert not [name for name in files if name.startswith(digest)]
    assert len(audited(rows, "erase_evidence", sha256)) == 1
    ordered = rows(f"SELECT done_at FROM work WHERE kind = 'destroy_key' AND key = '{key_id}'")
    assert len(ordered) == 1


def test_only_the_owner_of_reports_erases(as_: Callable[..., As]) -> None:
    sha256 = as_("citizen-reports").store(photograph()[0])
    for stranger in (as_("violations"), as_("tartip-cli"), as_("kaspi", kind="partner")):
        with refused("NOT_ALLOWED"):
            erase(stranger, sha256)
