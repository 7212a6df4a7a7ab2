"""Builds libs/contracts: typed Python stubs of every .proto below this folder.

The stubs are never committed. Run it through `make proto`; it takes two seconds and is skipped when
nothing changed.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

PROTO = Path(__file__).resolve().parent
CONTRACTS = PROTO.parent / "libs" / "contracts"
PYPROJECT = """[project]
name = "tartip-contracts"
version = "0.1.0"
requires-python = ">=3.11"

[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
"*" = ["py.typed", "*.pyi"]
"""


def main() -> int:
    sources = sorted(PROTO.rglob("*.proto"))
    digest = hashlib.sha256()
    for path in [Path(__file__), *sources]:
        digest.update(path.relative_to(PROTO).as_posix().encode() + path.read_bytes())
    stamp = CONTRACTS / ".built"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return 0
    shutil.rmtree(CONTRACTS, ignore_errors=True)
    out = CONTRACTS / "src"
    out.mkdir(parents=True)
    (CONTRACTS / "pyproject.toml").write_text(PYPROJECT)
    plugins = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{PROTO}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        *map(str, sources),
    ]
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        return result.returncode
    (out / "tartip" / "py.typed").touch()
    stamp.write_text(digest.hexdigest())
    print(f"contracts: {len(sources)} proto files built into {CONTRACTS.relative_to(PROTO.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
