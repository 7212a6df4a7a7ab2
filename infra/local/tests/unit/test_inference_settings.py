"""Settings of golden probes and of the check of evidence are passed on to the inference gateway."""

from __future__ import annotations

from pathlib import Path

from tartip_cli.parts.mesh import Mesh
from tartip_cli.settings import read_settings
from tartip_cli.topology import FINES, INFERENCE_GATEWAY


def test_the_inference_gateway_alone_gets_its_settings_as_they_are_given(tmp_path: Path) -> None:
    given = {"TARTIP_PROBE_SLOWEST_SECONDS": "30", "TARTIP_EVIDENCE_CHECK_DAYS": "7"}
    mesh = Mesh.build(read_settings({"TARTIP_HOME": str(tmp_path / "home"), **given}))
    assert mesh.services.environment(INFERENCE_GATEWAY).items() >= given.items()
    assert not mesh.services.environment(FINES).keys() & given.keys()
