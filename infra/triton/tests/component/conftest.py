"""A real Triton on a repository that a test has written, as `tartip up` would start it."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from inference_gateway.triton import Credentials, TritonModels
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.part import Part, launched
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.parts.triton import Triton
from tartip_cli.ports import free_base
from tartip_cli.provision.certificates import Certificates
from tartip_cli.settings import inherited_environment

START_SECONDS = 120.0


@dataclass(frozen=True)
class Served:
    """A running Triton; `models()` speaks to it as the inference gateway does."""

    address: str
    certificates: Certificates
    pid: int

    def models(self) -> TritonModels:
        pair = self.certificates.triton_caller("inference-gateway")
        credentials = Credentials(pair.certificate, pair.key, self.certificates.authority)
        return TritonModels(self.address, credentials)


@pytest.fixture
def described(tmp_path: Path) -> Iterator[Callable[[Path], Triton]]:
    """Triton as a part of a mesh of its own, not started."""
    home = DataDir(tmp_path / "home")
    home.prepare()
    certificates = Certificates(home.tls)
    certificates.renew()

    def describe(folder: Path) -> Triton:
        ports = free_base()
        return Triton(
            folder=folder,
            home=home,
            address=f"127.0.0.1:{ports.triton}",
            metrics_port=ports.triton_metrics,
            certificates=certificates,
            client=certificates.triton_caller("tartip-cli"),
        )

    yield describe
    erase_cluster(home)


def prepare(triton: Triton) -> Part:
    """What the supervisor does before each start."""
    part = triton.part()
    assert part.prepare is not None
    asyncio.run(_awaited(part.prepare))
    return part


def spawn(part: Part, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            launched(part.command, user=part.user, death_signal=signal.SIGKILL),
            env={**inherited_environment(), **part.environment},
            cwd=part.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def starts(part: Part, log: Path, *, seconds: float) -> int:
    """The code with which it ends by itself; the test fails if it does not."""
    child = spawn(part, log)
    try:
        return child.wait(seconds)
    finally:
        child.kill()


@contextmanager
def running(triton: Triton, log: Path) -> Iterator[Served]:
    child = spawn(prepare(triton), log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(triton):
            told = log.read_text(errors="replace")[-3000:]
            assert child.poll() is None and time.monotonic() < deadline, told
            time.sleep(0.1)
        yield Served(triton.address, triton.certificates, child.pid)
    finally:
        child.terminate()
        child.wait(60)


async def _awaited(step: Callable[[], object]) -> None:
    await step()  # type: ignore[misc]


def _answers(triton: Triton) -> bool:
    try:
        return asyncio.run(triton.health()).serves
    except Exception:
        return False
