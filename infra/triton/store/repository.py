"""Writes Triton's model repository: a folder per model, with configuration, runner and ONNX."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.configuration import Served, of_manifest, read_configuration, text_of
from store.environment import HERE, digest, put, reads, run
from store.failures import BuildFailed
from store.manifest import FromOutside, Manifest
from store.sources import source_folder

FILES: Final = ("config.pbtxt", "1/model.py", "1/model.onnx")
"""The only files in a model's folder of the repository."""
RUNNER: Final = HERE / "runner/model.py"
FINGERPRINTS: Final = "fingerprints.json"
SEAL: Final = "seal.json"
"""SHA-256 of each file in the store; `tartip_cli/provision/models.py` compares at each start."""
CATALOGUE: Final = "object_detector"
"""The model whose configuration names the external models, where the gateway looks for them."""


@dataclass(frozen=True)
class Kept:
    """A model to build: its manifest and the folder of the manifest."""

    manifest: Manifest
    folder: Path

    @property
    def is_outside(self) -> bool:
        return isinstance(self.manifest.source, FromOutside)


def write_repository(
    models: Mapping[str, Kept], target: Path, *, tools: Path, served: Served = Served.HERE
) -> bool:
    """Write exactly `models` to `target/models`, and the SHA-256 of every file to `seal.json`.

    `tools` holds Triton's environment and the npm packages; `served` names the server for which the
    models are configured. Returns whether any file changed. Raises BuildFailed if a source file is
    missing or wrong, or cannot be converted.
    """
    folder = target / "models"
    folder.mkdir(exist_ok=True)
    outside = sorted(name for name, kept in models.items() if kept.is_outside)
    changed = []
    for name, kept in models.items():
        place = folder / name
        (place / "1").mkdir(parents=True, exist_ok=True)
        made = make_onnx(kept, place / "1/model.onnx", tools)
        written = _configure(kept, place / "config.pbtxt", outside, served)
        ran = served is Served.HERE and _renew(RUNNER, place / "1/model.py")
        changed += [name] * (made or written or ran)
    files = FILES if served is Served.HERE else [name for name in FILES if name != "1/model.py"]
    changed += _sweep(folder, {folder / name / file for name in models for file in files})
    _seal(target)
    return bool(changed)


def together(
    own: Mapping[str, Manifest], outside: Mapping[str, Manifest], at: Path
) -> dict[str, Kept]:
    """Return all models by name: the project's own, and the external ones in the folder `at`.

    Raises BuildFailed if an external model is named like one of the project's own.
    """
    if twice := sorted(set(own) & set(outside)):
        raise BuildFailed(f"outside models have names of ours: {', '.join(twice)}; rename them")
    kept = {name: Kept(manifest, HERE / "models" / name) for name, manifest in own.items()}
    return kept | {name: Kept(manifest, at / name) for name, manifest in outside.items()}


def make_onnx(kept: Kept, onnx: Path, tools: Path) -> bool:
    """Write the ONNX file of a model to the path `onnx`.

    If the manifest has a `build`, the file is converted from the source file, otherwise copied.
    Returns False if `onnx` is up to date already. Raises BuildFailed if a source file is missing or
    wrong, the conversion fails, or the result does not have the SHA-256 in the manifest.
    """
    manifest = kept.manifest
    source = source_folder(manifest, tools, beside=kept.folder) / manifest.entry()
    if onnx.is_file() and digest(onnx) == manifest.sha256:
        return False
    made = source
    if manifest.build is not None:
        made = onnx.with_name(f".{os.getpid()}")
        run(
            [
                str(tools / "venv/bin/python"),
                "-m",
                "graphs",
                manifest.build,
                str(source),
                str(made),
            ],
            failure=f"{manifest.name} could not be converted",
            folder=HERE,
        )
    if (found := digest(made)) != manifest.sha256:
        raise BuildFailed(
            f"{manifest.name}: what was made ({made}) has the SHA-256 {found}, and its manifest "
            f"promises {manifest.sha256}; if the change is meant, measure it and write it there"
        )
    put(made, onnx)
    if made != source:
        made.unlink()
    return True


def _configure(kept: Kept, path: Path, outside: list[str], served: Served) -> bool:
    manifest = kept.manifest
    # What an outside model needs follows from its manifest; a configuration of its own could ask
    # Triton for anything.
    own = of_manifest(manifest) if kept.is_outside else read_configuration(kept.folder, manifest)
    named = {"outside_models": ",".join(outside)} if manifest.name == CATALOGUE else {}
    text = text_of(own, manifest, served, **named)
    if reads(path) == text:
        return False
    path.write_text(text)
    path.chmod(0o644)
    return True


def _sweep(folder: Path, known: set[Path]) -> list[str]:
    """Remove what nobody named; gives its names."""
    gone = []
    for path in sorted(folder.rglob("*"), reverse=True):
        if path not in known and (not path.is_dir() or path.is_symlink()):
            path.unlink()
            gone.append(path.name)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return gone


def _seal(target: Path) -> None:
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


def _renew(source: Path, target: Path) -> bool:
    if target.is_file() and digest(source) == digest(target):
        return False
    put(source, target)
    return True
