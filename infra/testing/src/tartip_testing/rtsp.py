"""The fixture `rtsp_server`, which serves films over RTSP to tests.

`rtsp_server(film)` returns an address that plays the film (H.264 in MP4) in a loop. Each client
gets the film from the start. If GStreamer's Debian packages are installed, GStreamer serves the
film. Otherwise the small server of `tartip_scenes` serves it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tartip_testing import gstreamer

SYSTEM_PYTHON = Path("/usr/bin/python3")
ROUNDS = 20
_STOP_SECONDS = 10.0

ServeFilm = Callable[[bytes | Path], str]


@pytest.fixture(scope="session")
def rtsp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeFilm]:
    """A function that serves a film (path or bytes) in a loop and returns its RTSP address."""
    folder = tmp_path_factory.mktemp("rtsp")
    process = _start_gstreamer(folder)
    port = _read_line(process.stdout) if process else ""
    if process is None or not port:
        yield from _small_servers()
        return
    try:
        yield _Films(folder, process, port).serve
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(_STOP_SECONDS)


class _Films:
    def __init__(self, folder: Path, process: subprocess.Popen[str], port: str) -> None:
        self._folder = folder
        self._process = process
        self._count = 0
        self._port = port

    def serve(self, film: bytes | Path) -> str:
        from tartip_scenes.clips import looped

        self._count += 1
        name = f"film{self._count}"
        file = self._folder / f"{name}.mp4"
        file.write_bytes(looped(film, rounds=ROUNDS))
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {file}\n")
        self._process.stdin.flush()
        assert _read_line(self._process.stdout) == f"ready {name}"
        return f"rtsp://127.0.0.1:{self._port}/{name}"


def _read_line(output: IO[str] | None) -> str:
    assert output is not None
    return output.readline().strip()


def _start_gstreamer(folder: Path) -> subprocess.Popen[str] | None:
    """Start the server; None without the system's Python, or if it ends for lack of bindings."""
    if not SYSTEM_PYTHON.exists():
        return None
    with (folder / "gstreamer.log").open("w") as log:
        return subprocess.Popen(
            [str(SYSTEM_PYTHON), gstreamer.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def _small_servers() -> Iterator[ServeFilm]:
    from tartip_scenes.clips import clip_of
    from tartip_scenes.rtsp import RtspServer

    servers: list[RtspServer] = []

    def serve(film: bytes | Path) -> str:
        servers.append(RtspServer(clip_of(film)))
        return servers[-1].address

    yield serve
    for server in servers:
        server.stop()
