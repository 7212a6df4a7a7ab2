"""Checks, before Triton starts, that no model file has changed since the models were built.

`infra/triton/build.py` writes the file `seal.json` beside Triton's model repository (the folder
`models`). It has the SHA-256 of every file in the model repository.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tartip_cli.failures import Exit, Failure

SEAL = "seal.json"
MODELS = "models"
_ADVICE = "Triton does not start with it; `make models` builds it again"


def check_models(folder: Path, *, models: Path) -> None:
    """Compare the model files in `models` with the checksums in `folder`/seal.json. Raises Failure
    if a file is missing, changed or not listed; the message names the first such file."""
    sealed = read_seal(folder)
    found = {str(path.relative_to(models)): path for path in models.rglob("*") if not path.is_dir()}
    for name, sha256 in sealed.items():
        path = found.pop(name, None)
        if path is None or path.is_symlink():
            raise _refused(f"the model file {models / name} is missing")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise _refused(f"the model file {path} was changed since it was built")
    if found:
        raise _refused(
            f"the model store holds a file that the set-up did not build: {min(found.values())}"
        )


def read_seal(folder: Path) -> dict[str, str]:
    """Read `seal.json` in `folder`. The result has the SHA-256 (hex) of each model file, by its
    path in the model repository. Raises Failure if `seal.json` is missing or malformed."""
    path = folder / SEAL
    try:
        return {str(name): str(sha256) for name, sha256 in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        raise Failure(
            f"the model store has no seal ({path}): run `make models`", Exit.MISSING_REQUIREMENT
        ) from None


def _refused(what: str) -> Failure:
    return Failure(f"{what}: {_ADVICE}", Exit.PART_FAILED)
