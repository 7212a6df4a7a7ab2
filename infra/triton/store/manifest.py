"""A model's manifest: its source, inputs, outputs and measured accuracy.

The build reads all that it needs from `models/<name>/manifest.json`; there is no list of models.
`docs/adding-a-model.md` explains each field.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from store.failures import BuildFailed

FILE: Final = "manifest.json"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_ -]{0,39}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)]


def _inside(path: str) -> str:
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise ValueError("a path inside the package, without ..")
    return path


PathInside = Annotated[str, AfterValidator(_inside)]
Files = Annotated[dict[PathInside, Sha256], Field(min_length=1)]
Side = int | str
"""A dimension of a tensor: its length, or the name of one that varies; the first is always "n"."""
Task = Literal[
    "scene_objects",  # anchors of the detector that the gateway itself decodes
    "objects",  # boxes of an outside model: the plug
    "plates",
    "plate_text",
    "faces",
    "face_templates",
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Tensor(_Part):
    """One input or output of a model: its type, its shape, and what it means, in words."""

    type: Literal["UINT8", "INT32", "INT64", "FP16", "FP32"]
    shape: Annotated[list[Side], Field(min_length=1)]
    meaning: Text

    def dims(self) -> list[int]:
        """Return the shape as Triton writes it: without the batch dimension, -1 for a varying
        length."""
        return [side if isinstance(side, int) else -1 for side in self.shape[1:]]


class FromNpm(_Part):
    """A model's source files, taken from an npm package.

    `package` and `version` name the package to download. `sha256` is the hash of its archive, as
    hexadecimal SHA-256. `files` has an item for each file that is needed: the key is the file's
    path inside the package, the value is the file's own SHA-256.
    """

    kind: Literal["npm"]
    package: Text
    version: Text
    sha256: Sha256
    files: Files


class FromPyPI(_Part):
    """A model's source files, taken from an installed Python package that `requirements.lock`
    names. `files` has an item for each file: the key is its path in site-packages, the value is its
    SHA-256 in hexadecimal."""

    kind: Literal["pypi"]
    package: Text
    version: Text
    files: Files


class FromRepository(_Part):
    """A model's source files that are in this repository. `files` has an item for each file: the
    key is its path relative to `infra/triton/`, the value is its SHA-256 in hexadecimal."""

    kind: Literal["repository"]
    files: Files


class FromOutside(_Part):
    """The ONNX file of an external model, which lies beside the manifest. `files` has an item for
    this file: the key is its name, the value is its SHA-256 in hexadecimal. `supplier` names who
    supplies the model."""

    kind: Literal["outside"]
    files: Files
    supplier: Text


Source = Annotated[FromNpm | FromPyPI | FromRepository | FromOutside, Field(discriminator="kind")]


class Manifest(_Part):
    name: Name
    purpose: Text
    task: Task
    source: Source
    licence: Text
    build: Annotated[str, StringConstraints(pattern=r"^[a-z_]+:[a-z_]+$")] | None
    """`module:function` in `graphs/` that makes the ONNX from the first file; null: it is the ONNX.
    """
    sha256: Sha256
    """The SHA-256 of the ONNX file that is served."""
    inputs: Annotated[dict[str, Tensor], Field(min_length=1)]
    outputs: Annotated[dict[str, Tensor], Field(min_length=1)]
    labels: list[Label] = []
    """The names of an object model's classes, by class number."""
    training: Text
    """The command that makes the weights again, or who trained them and on what."""
    accuracy: Annotated[dict[str, Any], Field(min_length=1)]
    """What was measured, on what, with counts."""
    instances: Annotated[int, Field(ge=1, le=16)] = 1
    """How many run at once, one thread each; on a CPU at most one more than there are cores."""
    max_batch_size: Annotated[int, Field(ge=1, le=128)]

    def entry(self) -> str:
        """The name of the first source file.

        The function that `build` names converts this file to ONNX. Without `build`, this file is
        the ONNX file itself.
        """
        return next(iter(self.source.files))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest in a model's folder.

    Raises BuildFailed if the manifest is missing or wrong; the message names each wrong field.
    """
    path = folder / FILE
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        raise BuildFailed(f"{folder} has no {FILE}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise BuildFailed(f"{path} is not JSON: {problem}") from problem
    except ValidationError as problem:
        raise BuildFailed(f"{path}: {_told(problem)}") from problem
    if manifest.name != folder.name:
        raise BuildFailed(f"{path}: name is {manifest.name!r}, but the folder is {folder.name!r}")
    return manifest


def read_manifests(folder: Path) -> Mapping[str, Manifest]:
    """Read the manifests of all models in a folder, and return them by name.

    Empty folders are skipped: git leaves one where a model was removed. Raises BuildFailed if a
    manifest is missing or wrong.
    """
    found = sorted(path for path in folder.iterdir() if path.is_dir() and any(path.iterdir()))
    return {path.name: read_manifest(path) for path in found}


def _told(problem: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in error['loc']) or 'manifest'}: {error['msg']}"
        for error in problem.errors(include_url=False, include_context=False, include_input=False)
    )
