"""Evidence changed on the disk is refused by name over REST, and named by `tartip verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chassis.refusals import Refusal
from tartip_cli.clients.journeys import wait_for
from tartip_cli.clients.partner import Outside
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """A byte of the file is another one during the block."""
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        yield
    finally:
        path.write_bytes(sound)


async def test_a_flipped_byte_has_its_own_refusal_and_verify_names_it_until_it_is_restored(
    mesh: RunningTestMesh, outside: Outside, new_frame: Any
) -> None:
    journey, _ = new_frame()
    sha256 = (await journey.send_frame()).evidence_sha256
    found = await wait_for("the violation", lambda: journey.find_in_queue(sha256))
    [path] = mesh.home.evidence.rglob(f"{sha256}.*")
    page = f"/v1/violations/{found.body['violation_id']}/evidence/{sha256}"
    with flipped(path):
        with pytest.raises(Refusal) as told:
            await outside.as_operator("inspector-almaty").get(page, purpose="test")
        assert (told.value.reason, told.value.facts) == ("EVIDENCE_DAMAGED", {"damage": "changed"})
        done = tartip(mesh.home.path, "verify", "--json")
        damaged = {one["sha256"]: one for one in json.loads(done.stdout)["evidence"]["damaged"]}
        assert done.returncode == 1
        assert mesh.home.evidence / damaged[sha256]["object_path"] == path
    restored = json.loads(tartip(mesh.home.path, "verify", "--json").stdout)
    assert sha256 not in {one["sha256"] for one in restored["evidence"]["damaged"]}
