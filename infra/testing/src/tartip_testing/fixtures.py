"""Test fixtures that run real parts: `engines` (also named `postgres` and `nats`), and `mesh`.

`engines` and `mesh` are each started at most once per test session, in separate temporary folders.
A root conftest includes them with `pytest_plugins = ["tartip_testing.fixtures"]`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tartip_testing.mesh import RunningTestMesh, running_mesh_in


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    """PostgreSQL with all roles and schemas, and NATS with all users and streams, as in a mesh; no
    service and no Triton runs."""
    home = tmp_path_factory.mktemp("engines")
    yield from running_mesh_in(home, without=("services", "triton"))


@pytest.fixture(scope="session")
def postgres(engines: RunningTestMesh) -> RunningTestMesh:
    return engines


@pytest.fixture(scope="session")
def nats(engines: RunningTestMesh) -> RunningTestMesh:
    return engines


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    """The whole mesh, as `tartip up` runs it."""
    yield from running_mesh_in(tmp_path_factory.mktemp("mesh"), without=())
