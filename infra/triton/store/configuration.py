"""Triton's configuration of a model, checked to agree with the model's manifest."""

import enum
import os
from pathlib import Path
from typing import Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from store.failures import BuildFailed
from store.manifest import Manifest

FILE: Final = "config.pbtxt"
GPU_BATCH_DELAY: Final = 500
"""Microseconds that a batch is waited for: on a GPU several pictures cost little more than one."""
TENSORRT: Final = {
    # Half precision gives other numbers than those that were measured: whoever wants it measures.
    "precision_mode": "FP32",
    "max_workspace_size_bytes": str(2**30),
    "trt_engine_cache_enable": "1",
    "trt_engine_cache_path": "/engines",
}


class Served(enum.StrEnum):
    """The server and hardware that run the models.

    HERE is the Triton that `build.py` installs on this machine; the others are NVIDIA's Triton
    container on a GPU, with ONNX Runtime or with TensorRT.
    """

    HERE = "here"
    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"


def read_configuration(folder: Path, manifest: Manifest) -> model_config_pb2.ModelConfig:
    """Read Triton's configuration of a model from `folder`, which also holds the manifest.

    Raises BuildFailed if the configuration is missing, malformed, or contradicts the manifest.
    """
    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse((folder / FILE).read_text(), config)
    except (text_format.ParseError, FileNotFoundError) as problem:
        raise BuildFailed(f"models/{manifest.name}/{FILE}: {problem}") from problem
    _check_agrees(manifest, config)
    return config


def of_manifest(manifest: Manifest) -> model_config_pb2.ModelConfig:
    """Make a configuration from a manifest alone: its name, backend, batch size and tensors."""
    config = model_config_pb2.ModelConfig(
        name=manifest.name, backend="python", max_batch_size=manifest.max_batch_size
    )
    for tensors, entries in ((manifest.inputs, config.input), (manifest.outputs, config.output)):
        for name, tensor in tensors.items():
            entries.add(name=name, data_type=f"TYPE_{tensor.type}", dims=tensor.dims())
    return config


def text_of(
    config: model_config_pb2.ModelConfig, manifest: Manifest, served: Served, **more: str
) -> str:
    """Complete a model's configuration and return it as the text of a `config.pbtxt`.

    Modifies `config`: sets the instances and the backend for `served`, and adds the model's
    fingerprint, task, labels and `more` as parameters.
    """
    del config.instance_group[:]
    told = {"fingerprint": manifest.sha256, "task": manifest.task, **more}
    if manifest.labels:
        told["labels"] = ",".join(manifest.labels)
    for key, value in told.items():
        config.parameters[key].string_value = value
    if served is Served.HERE:
        # One more than there are cores: it computes while another's answer is on its way.
        most = (os.cpu_count() or 1) + 1
        config.instance_group.add(kind="KIND_CPU", count=min(manifest.instances, most))
    else:
        _on_gpu(config, manifest, tensorrt=served is Served.TENSORRT)
    return text_format.MessageToString(config)


def _on_gpu(config: model_config_pb2.ModelConfig, manifest: Manifest, *, tensorrt: bool) -> None:
    """NVIDIA's backend for ONNX; TensorRT takes what it can run, in full precision."""
    config.backend = "onnxruntime"
    config.default_model_filename = "model.onnx"
    config.parameters.pop("intra_op_threads", None)
    config.instance_group.add(kind="KIND_GPU", count=manifest.instances)
    if config.HasField("dynamic_batching"):
        config.dynamic_batching.max_queue_delay_microseconds = GPU_BATCH_DELAY
    if tensorrt:
        accelerator = config.optimization.execution_accelerators.gpu_execution_accelerator.add(
            name="tensorrt"
        )
        accelerator.parameters.update(TENSORRT)


def _check_agrees(manifest: Manifest, config: model_config_pb2.ModelConfig) -> None:
    promised = {
        name: (f"TYPE_{tensor.type}", tensor.dims())
        for name, tensor in {**manifest.inputs, **manifest.outputs}.items()
    }
    written = {
        tensor.name: (model_config_pb2.DataType.Name(tensor.data_type), list(tensor.dims))
        for tensor in (*config.input, *config.output)
    }
    told = {
        "name": (manifest.name, config.name),
        "tensors": (promised, written),
        "max_batch_size": (manifest.max_batch_size, config.max_batch_size),
    }
    for what, (in_manifest, in_config) in told.items():
        if in_manifest != in_config:
            raise BuildFailed(
                f"models/{manifest.name}: manifest.json and {FILE} differ in {what}: "
                f"{in_manifest} and {in_config}"
            )
