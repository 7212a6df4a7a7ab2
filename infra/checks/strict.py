"""Runs mypy once over every Python file of the project.

mypy derives module names from folders, but a folder with a hyphen is no valid name, and all folders
of tests have the same name. Each file is therefore passed with an explicit name. Under `src` this
name is the one by which the file is imported. Elsewhere it is made from the path relative to the
project's root, with underscores for hyphens, such as `services.camera_registry.tests.conftest`.
The names of programs in `infra/triton` and `infra/triton/training` start at these folders instead.
"""

import sys
from pathlib import Path

from mypy.build import build
from mypy.errors import CompileError
from mypy.main import process_options
from mypy.modulefinder import BuildSource

ROOT = Path(__file__).resolve().parents[2]
CHECKED = ["conftest.py", "infra", "libs", "partner-kit", "proto", "services", "tests"]
GENERATED = ROOT / "libs/contracts"
# Folders that stand on the path when their programs run, the innermost first.
RUN_FROM = [ROOT / "infra/triton/training", ROOT / "infra/triton"]


def files() -> list[Path]:
    places = [ROOT / place for place in CHECKED]
    found = [path for place in places for path in [place, *place.rglob("*.py")] if path.is_file()]
    return sorted(path for path in found if not path.is_relative_to(GENERATED))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if "src" in parts:
        parts = parts[parts.index("src") + 1 :]
    elif "tests" not in parts:
        home = next((folder for folder in RUN_FROM if path.is_relative_to(folder)), ROOT)
        parts = path.relative_to(home).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(part.replace("-", "_") for part in parts)


def main() -> int:
    _, options = process_options([], require_targets=False)
    sources = [BuildSource(str(path.relative_to(ROOT)), module_name(path)) for path in files()]
    try:
        errors = build(sources, options).errors
    except CompileError as error:
        errors = error.messages
    sys.stdout.writelines(f"{line}\n" for line in errors)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
