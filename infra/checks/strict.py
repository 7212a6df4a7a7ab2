"""mypy over every Python file of the project, in one run: `strict.py PACKAGE…`.

mypy names a module by its folders, but a hyphen is no part of a name and the tests of all members
lie in folders of one name. So the packages go to mypy by name, and what is installed nowhere goes
by its path from the root, hyphens as underscores: `services.camera_registry.tests.unit.test_model`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from mypy.build import build
from mypy.errors import CompileError
from mypy.main import process_options
from mypy.modulefinder import BuildSource

ROOT = Path(__file__).resolve().parents[2]
# Folders that stand on the path when their programs run, the innermost first.
RUN_FROM = [ROOT / "infra/triton/training", ROOT / "infra/triton"]
UNINSTALLED = [
    "conftest.py",
    "infra/checks",
    "infra/triton",
    "infra/*/tests",
    "libs/conftest.py",
    "libs/*/tests",
    "proto",
    "services/*/migrations",
    "services/*/tests",
    "tests",
]


def module_name(path: Path) -> str:
    """The name under which `path` is imported; that of a test begins at the root."""
    in_tests = "tests" in path.relative_to(ROOT).parts
    home = next((base for base in RUN_FROM if path.is_relative_to(base) and not in_tests), ROOT)
    parts = path.relative_to(home).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(part.replace("-", "_") for part in parts)


def uninstalled() -> Iterator[BuildSource]:
    found = {
        file
        for pattern in UNINSTALLED
        for place in ROOT.glob(pattern)
        for file in (place.rglob("*.py") if place.is_dir() else [place])
    }
    for file in sorted(found):
        yield BuildSource(str(file.relative_to(ROOT)), module_name(file), base_dir=str(ROOT))


def main(packages: list[str]) -> int:
    arguments = [argument for package in packages for argument in ("-p", package)]
    sources, options = process_options(arguments)
    sources += uninstalled()
    try:
        errors = build(sources, options).errors
    except CompileError as error:
        errors = error.messages
    sys.stdout.writelines(f"{line}\n" for line in errors)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
