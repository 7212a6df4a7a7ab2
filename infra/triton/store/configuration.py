"""Triton's configuration of a model, and its agreement with the manifest."""

from pathlib import Path
from typing import Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from store.failures import BuildFailed
from store.manifest import Manifest

FILE: Final = "config.pbtxt"
QUEUE_SECONDS: Final = 5
QUEUE_SIZE: Final = 64


def read_configuration(folder: Path, manifest: Manifest) -> model_config_pb2.ModelConfig:
    """The one written by hand beside the manifest; it must say what the manifest says."""
    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse((folder / FILE).read_text(), config)
    except (text_format.ParseError, FileNotFoundError) as problem:
        raise BuildFailed(f"models/{manifest.name}/{FILE}: {problem}") from problem
    _check_agrees(manifest, config)
    return config


def of_manifest(manifest: Manifest) -> model_config_pb2.ModelConfig:
    """What follows from a manifest alone, with the queue that our own models have."""
    config = model_config_pb2.ModelConfig(
        name=manifest.name, backend="python", max_batch_size=manifest.max_batch_size
    )
    for tensors, entries in ((manifest.inputs, config.input), (manifest.outputs, config.output)):
        for name, tensor in tensors.items():
            entries.add(name=name, data_type=f"TYPE_{tensor.type}", dims=tensor.dims())
    policy = config.dynamic_batching.default_queue_policy
    policy.timeout_action = model_config_pb2.ModelQueuePolicy.REJECT
    policy.default_timeout_microseconds = QUEUE_SECONDS * 1_000_000
    policy.max_queue_size = QUEUE_SIZE
    return config


def with_facts(config: model_config_pb2.ModelConfig, manifest: Manifest, **more: str) -> str:
    """The text that Triton reads: instances, and what callers may want to know of the model."""
    del config.instance_group[:]
    config.instance_group.add(kind="KIND_CPU", count=manifest.instances)
    told = {"fingerprint": manifest.sha256, "task": manifest.task, **more}
    if manifest.labels:
        told["labels"] = ",".join(manifest.labels)
    for key, value in told.items():
        config.parameters[key].string_value = value
    return text_format.MessageToString(config)


def _check_agrees(manifest: Manifest, config: model_config_pb2.ModelConfig) -> None:
    promised = {
        name: (f"TYPE_{tensor.type}", tensor.dims())
        for name, tensor in {**manifest.inputs, **manifest.outputs}.items()
    }
    written = {
        tensor.name: (model_config_pb2.DataType.Name(tensor.data_type), list(tensor.dims))
        for tensor in (*config.input, *config.output)
    }
    told = {"name": (manifest.name, config.name), "tensors": (promised, written),
            "max_batch_size": (manifest.max_batch_size, config.max_batch_size)}  # fmt: skip
    for what, (in_manifest, in_config) in told.items():
        if in_manifest != in_config:
            raise BuildFailed(
                f"models/{manifest.name}: manifest.json and {FILE} differ in {what}: "
                f"{in_manifest} and {in_config}"
            )
