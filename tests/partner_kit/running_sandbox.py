"""A sandbox that was started as a command, what its tests send, and the commands of the guide."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from tartip_cli.settings import inherited_environment
from tartip_partner import Identity, ReportsClient, Retries

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "partners.md").read_text()
START_SECONDS = 600
STOP_SECONDS = 120
CLIENT_SECONDS = 1500
IMPATIENT = Retries(call_seconds=10.0, total_seconds=10.0)


@dataclass
class RunningSandbox:
    """A sandbox as its own output describes it."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    def tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.told["control"] + path, json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def now(self) -> str:
        with urllib.request.urlopen(self.told["control"] + "/clock", timeout=30) as answer:
            return str(json.load(answer)["now"])

    def files(self, partner: str) -> tuple[Path, Path, Path]:
        """The authority of the servers, and a partner's certificate and key."""
        (found,) = [one for one in self.told["partners"] if one["name"] == partner]
        return Path(self.told["ca"]), Path(found["certificate"]), Path(found["key"])

    def client(self, partner: str) -> ReportsClient:
        ca, certificate, key = self.files(partner)
        identity = Identity(ca=ca, certificate=certificate, key=key)
        return ReportsClient(self.told["reports"], identity, retries=IMPATIENT)

    def stop(self) -> str:
        """Ctrl-C; returns what it printed since."""
        self.process.send_signal(signal.SIGINT)
        told, _ = self.process.communicate(timeout=STOP_SECONDS)
        return told


def start(home: Path, variables: dict[str, str]) -> RunningSandbox:
    process = subprocess.Popen(
        [sys.executable, "-m", "tartip_cli", "sandbox", "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(home), **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it ended with {process.wait()}"
    return RunningSandbox(process, json.loads(line))


class WebhookReceiver(ThreadingHTTPServer):
    """A partner's receiver of webhooks, with the certificate that the guide makes in `folder`. It
    answers 500 to the first of them, and keeps headers and bodies of all."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.folder, self.port = folder, self.server_address[1]
        self.received: list[tuple[Message, bytes]] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "hook.pem", folder / "hook.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)


class _Hook(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.headers, body))
        self.send_response(500 if len(self.server.received) == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be silent."""


def photograph() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((1200, 900), 80).save(written, "JPEG", quality=95)
    return written.getvalue()


def recording(codec: str, frames: list[Any], **stream: Any) -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        made: Any = container.add_stream(codec, **stream)
        if codec == "mpeg4":
            made.width, made.height, made.pix_fmt = 320, 240, "yuv420p"
        else:
            made.layout = "mono"
        for frame in (*frames, None):
            container.mux(made.encode(frame))
    return written.getvalue()


def film() -> bytes:
    shades = (np.full((240, 320, 3), 20 * shade, np.uint8) for shade in range(10))
    pictures = [av.VideoFrame.from_ndarray(shade, format="rgb24") for shade in shades]
    return recording("mpeg4", pictures, rate=10)


def voice() -> bytes:
    frames = []
    for number in range(16):
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 1024 * number
        frames.append(frame)
    return recording("aac", frames, rate=16_000)


def section(heading: str) -> str:
    """The section of the guide under a heading, up to the next one of its rank or above."""
    rank = len(heading.partition(" ")[0])
    return re.split(rf"\n#{{2,{rank}}} ", GUIDE.split(f"\n{heading}\n")[1])[0]


def blocks(section: str, fence: str) -> list[str]:
    return re.findall(rf"```{fence}\n(.*?)```", section, re.DOTALL)


def here(script: str, sandbox: RunningSandbox) -> str:
    """The script with the addresses of this sandbox instead of those that the guide names."""
    reports, control = sandbox.told["reports"], sandbox.told["control"]
    return script.replace("127.0.0.1:7206", reports).replace("http://127.0.0.1:7207", control)


def shell(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    return run(command, folder, CLIENT_SECONDS, {**os.environ, "PATH": path})


def run(
    command: list[str], folder: Path, seconds: int = 120, environment: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
