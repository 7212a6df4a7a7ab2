"""Writes the Triton repository: for each manifest a folder with configuration, runner and ONNX."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.configuration import of_manifest, read_configuration, with_facts
from store.environment import HERE, digest, put, reads, run
from store.failures import BuildFailed
from store.manifest import FromOutside, Manifest
from store.sources import source_folder

FILES: Final = ("config.pbtxt", "1/model.py", "1/model.onnx")
"""What a model's folder holds, and nothing else."""
RUNNER: Final = HERE / "runner/model.py"
FINGERPRINTS: Final = "fingerprints.json"
SEAL: Final = "seal.json"
"""SHA-256 of each file of the repository; Triton's start compares (`tartip_cli/model_seal.py`)."""
CATALOGUE: Final = "object_detector"
"""The model whose configuration names the outside ones, so that the gateway can ask for them."""


@dataclass(frozen=True)
class Kept:
    """A model as it is kept: its manifest, and the folder where that lies."""

    manifest: Manifest
    folder: Path

    @property
    def is_outside(self) -> bool:
        return isinstance(self.manifest.source, FromOutside)


def write_repository(models: Mapping[str, Kept], target: Path) -> bool:
    """Make `target/models` hold just these models, and `target/fingerprints.json` tell of them."""
    folder = target / "models"
    folder.mkdir(exist_ok=True)
    outside = sorted(name for name, kept in models.items() if kept.is_outside)
    changed = [name for name, kept in models.items() if _model(kept, outside, target)]
    known = {folder / name / file for name in models for file in FILES}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path not in known and (not path.is_dir() or path.is_symlink()):
            path.unlink()
            changed.append(path.name)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    _write_fingerprints(target)
    return bool(changed)


def together(
    own: Mapping[str, Manifest], outside: Mapping[str, Manifest], at: Path
) -> dict[str, Kept]:
    """Our models and those of the outside folder `at`; no two may have one name."""
    if twice := sorted(set(own) & set(outside)):
        raise BuildFailed(f"outside models have names of ours: {', '.join(twice)}; rename them")
    kept = {name: Kept(manifest, HERE / "models" / name) for name, manifest in own.items()}
    return kept | {name: Kept(manifest, at / name) for name, manifest in outside.items()}


def make_onnx(kept: Kept, onnx: Path, target: Path) -> bool:
    """Put the ONNX that the manifest promises at `onnx`, converted where it says so."""
    manifest = kept.manifest
    source = source_folder(manifest, target, beside=kept.folder) / manifest.entry()
    if onnx.is_file() and digest(onnx) == manifest.sha256:
        return False
    made = source
    if manifest.build is not None:
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


def _model(kept: Kept, outside: list[str], target: Path) -> bool:
    manifest = kept.manifest
    folder = target / "models" / manifest.name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    changed = make_onnx(kept, folder / "1/model.onnx", target)
    if not _same(RUNNER, folder / "1/model.py"):
        put(RUNNER, folder / "1/model.py")
        changed = True
    # What an outside model needs follows from its manifest; a configuration of its own could ask
    # Triton for anything.
    own = of_manifest(manifest) if kept.is_outside else read_configuration(kept.folder, manifest)
    named = {"outside_models": ",".join(outside)} if manifest.name == CATALOGUE else {}
    text = with_facts(own, manifest, **named)
    if reads(folder / "config.pbtxt") != text:
        (folder / "config.pbtxt").write_text(text)
        changed = True
    return changed


def _write_fingerprints(target: Path) -> None:
    """What was written: the ONNX of each model for people, every file for Triton's start."""
    folder = target / "models"
    sealed = {
        str(path.relative_to(folder)): digest(path) for path in folder.rglob("*") if path.is_file()
    }
    weights = {name.split("/")[0]: it for name, it in sealed.items() if name.endswith(".onnx")}
    for name, told in ((SEAL, sealed), (FINGERPRINTS, weights)):
        text = json.dumps(dict(sorted(told.items())), indent=2) + "\n"
        if reads(target / name) != text:
            draft = target / f".{name}"
            draft.write_text(text)
            draft.replace(target / name)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and digest(one) == digest(other)
