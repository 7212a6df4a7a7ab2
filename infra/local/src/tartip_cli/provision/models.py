"""The check before Triton starts: every model file is unchanged since the set-up.

`infra/triton/build.py` leaves `seal.json` beside the repository: the SHA-256 of each file in it.
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
    """Compare `models` with the seal in `folder`; `Failure` names the first file that differs."""
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
    """The SHA-256 of each file, by path under `models`. Raises Failure without a seal."""
    path = folder / SEAL
    try:
        return {str(name): str(sha256) for name, sha256 in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        raise Failure(
            f"the model store has no seal ({path}): run `make models`", Exit.MISSING_REQUIREMENT
        ) from None


def _refused(what: str) -> Failure:
    return Failure(f"{what}: {_ADVICE}", Exit.PART_FAILED)
