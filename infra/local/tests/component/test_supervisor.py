"""The whole run over small children: its order, its lock, and what a killed run left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure, from_group
from tartip_cli.parts.health import READY, Health, unready
from tartip_cli.parts.mesh import Mesh, Stage
from tartip_cli.ports import LOOPBACK, free_base
from tartip_cli.settings import Settings, find_checkout
from tartip_cli.supervisor.children import State
from tartip_cli.supervisor.lock import end_orphans, is_locked, running_mesh
from tartip_cli.supervisor.process import ProcessId
from tartip_cli.supervisor.supervisor import Supervisor
from tartip_cli.topology import SERVICES

from .small_children import DEAF, STOPS, Journal, child, until

EVERYTHING = frozenset({"postgres", "nats", "triton", *(service.name for service in SERVICES)})


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
def empty(tmp_path: Path) -> Mesh:
    """A mesh of no parts in a folder and on ports of its own."""
    ports = free_base()
    settings = Settings(
        home=tmp_path / "home",
        checkout=find_checkout(),
        port_base=ports.base,
        gateway_port=ports.gateway,
    )
    return Mesh.build(settings, without=EVERYTHING)


def of(mesh: Mesh, *stages: Stage) -> Supervisor:
    return Supervisor(replace(mesh, stages=stages))


def free_address() -> str:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return f"{LOOPBACK}:{free.getsockname()[1]}"


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    """Ready inside the block, stopped after it."""
    run = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: supervisor.ready.is_set() or run.done())
        assert not run.done(), run.exception()
        yield run
    finally:
        supervisor.request_stop()
        await asyncio.wait_for(run, 60)


async def test_a_later_stage_starts_after_the_engines_and_stops_before_them(
    empty: Mesh, journal: Journal
) -> None:
    async def answers() -> Health:
        return READY if journal.said("nats", "listens")() else unready("it starts")

    engine = child(journal, STOPS, name="nats", address=free_address(), probe=answers)
    service = child(journal, STOPS, name="fines", address=free_address())
    gateway = child(journal, STOPS, name="operator-gateway", address=free_address())
    supervisor = of(replace_migrations(empty), (engine,), (service,), (gateway,))
    async with running(supervisor):
        await until(lambda: len(journal.order_of("listens")) == 3)
        assert supervisor.status()["ready"] is True
    assert journal.order_of("started")[0] == "nats"
    assert min(journal.lines("fines", "started")) > max(journal.lines("nats", "listens"))
    assert journal.order_of("stopped") == ["operator-gateway", "fines", "nats"]
    assert {part.state for part in supervisor.watched} == {State.STOPPED}


def replace_migrations(mesh: Mesh) -> Mesh:
    """`fines` is a child of this test and has no schema."""

    class WithoutSchemas(Mesh):
        @property
        def migrated_services(self) -> tuple[str, ...]:
            return ()

    fields = {name: getattr(mesh, name) for name in mesh.__dataclass_fields__}
    return WithoutSchemas(**fields)


async def test_a_second_run_on_one_folder_is_refused_and_harms_nothing(
    empty: Mesh, journal: Journal
) -> None:
    part = child(journal, STOPS, name="first", address=free_address())
    supervisor = of(empty, (part,))
    async with running(supervisor):
        await until(journal.said("first", "started"))
        before = supervisor.watched[0].pid
        with pytest.raises(Failure, match=f"already runs .pid {os.getpid()}.") as refused:
            await of(empty, (child(journal, STOPS, name="second"),)).run()
        assert refused.value.code is Exit.ALREADY_RUNNING
        assert supervisor.watched[0].pid == before and journal.order_of("started") == ["first"]
        assert running_mesh(empty.home) is not None
    assert not is_locked(empty.home)


async def test_the_run_file_of_a_dead_supervisor_is_not_believed(
    empty: Mesh, journal: Journal
) -> None:
    (empty.home.lock).touch()
    stale = empty.home.run / "mesh.json"
    stale.write_text('{"pid": 1, "port_base": 1024, "gateway_port": 1025}')
    assert running_mesh(empty.home) is None
    async with running(of(empty, (child(journal, STOPS, address=free_address()),))):
        found = running_mesh(empty.home)
        assert found is not None and found.pid == os.getpid()
        assert found.port_base == empty.ports.base
    assert not stale.exists()


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', '{"of": "a later version"}'])
async def test_a_run_file_that_cannot_be_read_is_as_good_as_none(
    empty: Mesh, journal: Journal, content: str
) -> None:
    async with running(of(empty, (child(journal, STOPS, address=free_address()),))):
        (empty.home.run / "mesh.json").write_text(content)
        assert running_mesh(empty.home) is None and is_locked(empty.home)


async def test_a_second_interrupt_kills_what_does_not_go(empty: Mesh, journal: Journal) -> None:
    supervisor = of(empty, (child(journal, DEAF, address=free_address()),))
    async with running(supervisor) as run:
        await until(journal.said("child", "listens"))
        supervisor.request_stop()
        await until(lambda: supervisor.watched[0].state is State.STOPPING)
        assert not run.done()
        supervisor.request_stop()
        await asyncio.wait_for(asyncio.shield(run), 20)
    assert supervisor.watched[0].pid is None


async def test_a_part_that_never_comes_up_ends_the_run_and_stops_the_others(
    empty: Mesh, journal: Journal
) -> None:
    async def never() -> Health:
        raise ConnectionError("nobody listens")

    broken = child(journal, "sys.exit('no luck')", name="a", address=free_address(), probe=never)
    good = child(journal, STOPS, name="b", address=free_address())
    supervisor = of(empty, (broken, good))
    with pytest.raises(BaseExceptionGroup) as ended:
        await asyncio.wait_for(supervisor.run(), 60)
    assert "a stopped at once: no luck" in str(from_group(ended.value))
    assert supervisor.watched[1].pid is None and not is_locked(empty.home)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True
    )
    yield process
    process.kill()
    process.wait()


async def test_a_child_of_a_killed_run_is_ended_by_the_next(
    empty: Mesh, sleeper: subprocess.Popen[bytes]
) -> None:
    left = ProcessId.of(sleeper.pid)
    assert left is not None
    left.write(empty.home.run / "fines.pid")
    await end_orphans(empty.home)
    assert sleeper.wait(10) == -signal.SIGTERM
    assert list(empty.home.run.glob("*.pid")) == []


async def test_a_stranger_that_was_given_the_pid_of_a_dead_child_is_left_alone(
    empty: Mesh, sleeper: subprocess.Popen[bytes]
) -> None:
    reused = ProcessId.of(sleeper.pid)
    assert reused is not None
    replace(reused, started="1").write(empty.home.run / "fines.pid")
    await end_orphans(empty.home)
    assert sleeper.poll() is None and reused.alive()
    assert list(empty.home.run.glob("*.pid")) == []


@pytest.mark.parametrize("content", ["", "12", "x y", "1 2 3"])
async def test_a_half_written_pid_file_harms_nobody(empty: Mesh, content: str) -> None:
    (empty.home.run / "fines.pid").write_text(content)
    await end_orphans(empty.home)
    assert list(empty.home.run.glob("*.pid")) == []


def test_a_folder_that_never_ran_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(DataDir(tmp_path / "nowhere"))
