"""The repository for NVIDIA's container: without a GPU not run here, but held to the ONNX files.

What can be checked without one: that each configuration is read by Triton's own schema, and that
the tensors it names are those of the file beside it, by name, type and sides.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from store.configuration import Served
from store.environment import HERE
from store.manifest import read_manifests
from store.repository import together, write_repository
from tartip_cli.provision.models import check_models
from tritonclient.grpc import model_config_pb2

OURS = read_manifests(HERE / "models")
DECLARED = "import json, sys, probe; print(json.dumps(probe.declared(sys.argv[1])))"


@pytest.fixture(scope="module", params=[Served.ONNXRUNTIME, Served.TENSORRT])
def gpu_store(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Served, Path]:
    folder = tmp_path_factory.mktemp(f"for-{request.param}")
    write_repository(together(OURS, {}, folder), folder, tools=built, served=request.param)
    return request.param, folder


def read(folder: Path, name: str) -> model_config_pb2.ModelConfig:
    text = (folder / "models" / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def declared(onnx: Path, built: Path) -> dict[str, Any]:
    """What the ONNX itself says, read in Triton's Python."""
    command = [str(built / "venv/bin/python"), "-c", DECLARED, str(onnx)]
    answer = subprocess.run(
        command, cwd=HERE / "runner", capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


@pytest.mark.parametrize("name", OURS)
def test_tensors_are_those_of_the_onnx(
    gpu_store: tuple[Served, Path], built: Path, name: str
) -> None:
    config = read(gpu_store[1], name)
    onnx = declared(gpu_store[1] / "models" / name / "1/model.onnx", built)
    for configured, found in ((config.input, onnx["inputs"]), (config.output, onnx["outputs"])):
        by_name = {each["name"]: each for each in found}
        assert {each.name for each in configured} == set(by_name)
        for each in configured:
            one = by_name[each.name]
            assert model_config_pb2.DataType.Name(each.data_type) == f"TYPE_{one['type']}"
            batch, *sides = one["shape"]
            assert batch == -1 and config.max_batch_size > 0
            assert len(sides) == len(each.dims)
            for side, dim in zip(sides, each.dims, strict=True):
                assert -1 in (side, dim) or side == dim, (each.name, sides, each.dims)


@pytest.mark.parametrize("name", OURS)
def test_it_runs_on_the_gpu_by_the_onnx_backend(gpu_store: tuple[Served, Path], name: str) -> None:
    served, folder = gpu_store
    config = read(folder, name)
    assert (config.name, config.backend) == (name, "onnxruntime")
    (group,) = config.instance_group
    assert group.kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert group.count == OURS[name].instances
    assert config.parameters["fingerprint"].string_value == OURS[name].sha256
    if config.HasField("dynamic_batching"):
        assert not config.dynamic_batching.preferred_batch_size, "a GPU gains by batches"
        policy = config.dynamic_batching.default_queue_policy
        assert policy.default_timeout_microseconds > 0 and policy.max_queue_size > 0
    named = [
        each.name for each in config.optimization.execution_accelerators.gpu_execution_accelerator
    ]
    assert named == (["tensorrt"] if served is Served.TENSORRT else [])


def test_it_is_sealed_and_holds_no_program(gpu_store: tuple[Served, Path]) -> None:
    folder = gpu_store[1]
    check_models(folder, models=folder / "models")
    assert not list(folder.rglob("*.py"))
