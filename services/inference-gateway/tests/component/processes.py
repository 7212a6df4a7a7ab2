"""Processes of this service and of its parts, which tests start, stop and kill."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.parts.part import launched
from tartip_cli.provision.users import UnixUser

START_SECONDS = 180.0


@dataclass
class Process:
    """A child that a test may kill and start again."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    ready: Callable[[], bool]
    user: UnixUser | None = None
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                launched(self.command, user=self.user, death_signal=signal.SIGKILL),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.child.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """With whatever it started: a killed Triton's stubs do not always notice."""
        assert self.child is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """With whatever it started: its sockets stay open, and nothing answers."""
        assert self.child is not None
        os.killpg(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.child.pid, signal.SIGCONT)

    def stop(self) -> int:
        assert self.child is not None
        self.child.terminate()
        return self.child.wait(60)
