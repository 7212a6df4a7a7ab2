"""The supervisor is given heads that the service has signed, once there are entries."""

from dataclasses import replace
from pathlib import Path

from tartip_cli.supervisor.heads import HeadKeeper
from tartip_cli.topology import FINES
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, until


async def test_the_supervisor_is_given_signed_heads(
    engines: RunningTestMesh, kaspi: As, tmp_path: Path
) -> None:
    settings = replace(engines.description.settings, heads_dir=tmp_path)
    keeper = HeadKeeper(replace(engines.description, settings=settings))
    head = await until(lambda: keeper.newest(FINES))
    assert (head.service, head.is_signed) == ("fines", True)
    assert head.tree_size > 0
