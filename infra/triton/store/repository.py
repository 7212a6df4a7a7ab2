"""Writes the Triton repository: for each manifest a folder with configuration, runner and ONNX."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from store.environment import HERE, digest, put, reads, run
from store.failures import BuildFailed
from store.manifest import Manifest
from store.sources import source_folder

RUNNER: Final = HERE / "runner/model.py"
FINGERPRINTS: Final = "fingerprints.json"


def write_repository(manifests: Mapping[str, Manifest], target: Path) -> bool:
    """Make `target/models` hold just these models, and `target/fingerprints.json` tell of them."""
    models = target / "models"
    models.mkdir(exist_ok=True)
    changed = [name for name, manifest in manifests.items() if _model(manifest, target)]
    for folder in models.iterdir():
        if folder.name not in manifests:
            shutil.rmtree(folder)
            changed.append(folder.name)
    _write_fingerprints(target)
    return bool(changed)


def _model(manifest: Manifest, target: Path) -> bool:
    kept = HERE / "models" / manifest.name
    folder = target / "models" / manifest.name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    source = source_folder(manifest, target, beside=kept) / manifest.entry()
    changed = _make_onnx(manifest, source, folder / "1/model.onnx", target)
    if not _same(RUNNER, folder / "1/model.py"):
        put(RUNNER, folder / "1/model.py")
        changed = True
    text = _config(manifest, (kept / "config.pbtxt").read_text())
    if reads(folder / "config.pbtxt") != text:
        (folder / "config.pbtxt").write_text(text)
        changed = True
    return changed


def _make_onnx(manifest: Manifest, source: Path, onnx: Path, target: Path) -> bool:
    """The ONNX that the manifest promises, converted where it says so."""
    if onnx.is_file() and digest(onnx) == manifest.sha256:
        return False
    if manifest.build is None:
        made = source
    else:
        made = target / f"{manifest.name}.onnx"
        run(
            [str(target / "venv/bin/python"), "-m", "graphs", manifest.build, str(source),
             str(made)],
            failure=f"{manifest.name} could not be converted",
            folder=HERE,
        )  # fmt: skip
    if (found := digest(made)) != manifest.sha256:
        raise BuildFailed(
            f"{manifest.name}: what was made ({made}) has the SHA-256 {found}, and its manifest "
            f"promises {manifest.sha256}; if the change is meant, measure it and write it there"
        )
    put(made, onnx)
    if made != source:
        made.unlink()
    return True


def _config(manifest: Manifest, text: str) -> str:
    """The configuration by hand, and what the manifest adds: instances, and facts for callers."""
    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as problem:
        raise BuildFailed(f"models/{manifest.name}/config.pbtxt: {problem}") from problem
    _check_agrees(manifest, config)
    config.instance_group.add(kind="KIND_CPU", count=manifest.instances)
    told = {"fingerprint": manifest.sha256, "task": manifest.task}
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
                f"models/{manifest.name}: manifest.json and config.pbtxt differ in {what}: "
                f"{in_manifest} and {in_config}"
            )


def _write_fingerprints(target: Path) -> None:
    """What each event carries: the digest of the ONNX that is served under each name."""
    found = {path.parts[-3]: digest(path) for path in target.glob("models/*/1/model.onnx")}
    text = json.dumps(dict(sorted(found.items())), indent=2)
    (target / FINGERPRINTS).write_text(text + "\n")


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and digest(one) == digest(other)
