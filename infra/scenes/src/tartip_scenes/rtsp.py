"""A small RTSP server for tests and measurements. It plays films in a loop, with faults on demand.

The server has only what a client needs to play one stream (RFC 2326: OPTIONS, DESCRIBE, SETUP,
PLAY). RTP is interleaved in the RTSP connection or sent over UDP.
"""

import base64
import contextlib
import os
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tartip_scenes.clips import TICKS_A_SECOND, Access, Clip, clip_of, film_of
from tartip_scenes.nal import Codec

# Where RTP's clock begins; FFmpeg takes 0 for a clock that is not known.
CLOCK_BEGINS = 1_000_000
UNAUTHORIZED = 'WWW-Authenticate: Basic realm="camera"'


class Fault(Enum):
    """The ways in which a stream can fail. NONE means that the stream plays normally."""

    NONE = "none"
    # The connection stays, and nothing comes any more.
    SILENT = "silent"
    # The connection ends in the middle of a frame.
    CUT = "cut"
    # Well-formed packets with random content.
    GARBLED = "garbled"
    # Random bytes where packets should be.
    NOISE = "noise"
    # Whoever is there is sent away, and nobody is let in.
    CLOSED = "closed"
    # The same picture for ever.
    FROZEN = "frozen"


Stamps = Callable[[int, float], int]
"""Computes a frame's time stamp in ticks, from the right one and the seconds since the start."""


def right(shown: int, _: float) -> int:
    return shown


def spiking(ahead_seconds: float, *, every_seconds: float = 3.0) -> Stamps:
    """Return a time stamp function that adds `ahead_seconds` to the stamps of some frames.

    In each period of `every_seconds`, this applies to the frames that are sent during 0.12 s.
    """

    def stamp(shown: int, elapsed: float) -> int:
        is_spike = every_seconds - 1 <= elapsed % every_seconds < every_seconds - 0.88
        return shown + round(ahead_seconds * TICKS_A_SECOND) * is_spike

    return stamp


def jumping(by_seconds: float, *, after_seconds: float) -> Stamps:
    """Return a time stamp function that adds `by_seconds` to the stamps of all frames sent after a
    time. This time is `after_seconds` after the client started to play. `by_seconds` may be
    negative."""

    def stamp(shown: int, elapsed: float) -> int:
        return shown + round(by_seconds * TICKS_A_SECOND) * (elapsed >= after_seconds)

    return stamp


def standing_still(_: int, __: float) -> int:
    return 0


@dataclass
class _Camera:
    """What is served under one path, and how."""

    clip: Clip
    fault: Fault = Fault.NONE
    stamps: Stamps = right
    password: str = ""
    """"user:password", or nothing where anybody may watch."""
    over_udp: bool = False

    def lets_in(self, authorization: str) -> bool:
        wanted = base64.b64encode(self.password.encode()).decode()
        return not self.password or authorization == f"Basic {wanted}"


class RtspServer:
    """An RTSP server on a free loopback port, with one thread for each connection.

    The argument `film` is a clip, or BGR pictures that are encoded at `rate` frames per second. It
    is served under every path, unless `put` sets another clip for a path.
    """

    def __init__(self, film: "Clip | Sequence[Any]", *, rate: int = 10, key_every: int = 5) -> None:
        clip = film if isinstance(film, Clip) else None
        self._clip = clip or clip_of(film_of(film, rate=rate, key_every=key_every))  # type: ignore[arg-type]
        self._cameras: dict[str, _Camera] = {}
        self._stopped = False
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.connections = 0
        self.hang_up_after: int | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return self.address_of("live")

    def address_of(self, path: str, *, password: str = "camera:secret-word") -> str:
        port = self._socket.getsockname()[1]
        return f"rtsp://{password}@127.0.0.1:{port}/{path}"

    def put(self, path: str, clip: Clip) -> None:
        self._camera(path).clip = clip

    def break_down(self, path: str, fault: Fault) -> None:
        """Set the fault with which a path is served, on new connections and existing ones.

        Fault.NONE removes the fault. Connections that the fault has closed stay closed.
        """
        self._camera(path).fault = fault

    def stamp(self, path: str, stamps: Stamps) -> None:
        """Set the function that computes the RTP time stamps of frames sent under this path.

        Its arguments are a frame's correct time stamp in ticks, and the seconds since the client
        started to play. It returns the time stamp to send, in ticks.
        """
        self._camera(path).stamps = stamps

    def guard(self, path: str, password: str) -> None:
        """Require basic authentication for a path. `password` is "user:password", or "" for
        none."""
        self._camera(path).password = password

    def refuse_tcp(self, path: str) -> None:
        """Serve a path over UDP only; clients that ask for TCP get status 461."""
        self._camera(path).over_udp = True

    def stop(self) -> None:
        self._stopped = True
        self._socket.close()

    def _camera(self, path: str) -> _Camera:
        return self._cameras.setdefault(path, _Camera(self._clip))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopped:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = connection.makefile("rb")
        client_port = 0
        with connection, contextlib.suppress(OSError):
            while (request := _request(lines)) is not None:
                camera = self._camera(request.path)
                if camera.fault is Fault.CLOSED:
                    return
                connection.sendall(_answer(request, camera))
                client_port = request.client_port or client_port
                if request.method == "PLAY":
                    self._play(camera, _Sender(connection, camera.clip.codec, client_port))
                    return

    def _play(self, camera: _Camera, sender: "_Sender") -> None:
        clip = camera.clip
        started, number = time.monotonic(), 0
        while not self._stopped and number != self.hang_up_after:
            turn, place = divmod(number, len(clip.frames))
            frame = clip.frames[place]
            due = started + (turn * clip.length + frame.sent) / TICKS_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            shown = camera.stamps(turn * clip.length + frame.shown, time.monotonic() - started)
            match camera.fault:
                case Fault.CLOSED:
                    return
                case Fault.CUT:
                    sender.half(frame, shown)
                    return
                case Fault.NOISE:
                    sender.noise()
                case Fault.GARBLED:
                    sender.send(_garbled(frame), shown)
                case Fault.FROZEN:
                    # Encoded on its own, so that it decodes to the same bits each time.
                    sender.send(clip.frames[0], shown)
                case Fault.NONE:
                    sender.send(frame, shown)
            number += 1


class _Sender:
    """RTP between the lines of an RTSP connection (channel 0), or to a port over UDP."""

    def __init__(self, connection: socket.socket, codec: Codec, client_port: int) -> None:
        self._connection = connection
        self._codec = codec
        self._port = client_port
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sequence = 0

    def send(self, frame: Access, shown: int) -> None:
        packets = self._packets(frame, shown)
        if self._port:
            for packet in packets:
                self._udp.sendto(packet, ("127.0.0.1", self._port))
        else:
            self._connection.sendall(b"".join(_between_lines(packet) for packet in packets))

    def half(self, frame: Access, shown: int) -> None:
        whole = b"".join(_between_lines(packet) for packet in self._packets(frame, shown))
        self._connection.sendall(whole[: len(whole) // 2])

    def noise(self) -> None:
        self._connection.sendall(os.urandom(3000))

    def _packets(self, frame: Access, shown: int) -> Iterator[bytes]:
        payloads = [payload for unit in frame.units for payload in self._codec.payloads(unit)]
        moment = CLOCK_BEGINS + shown
        for place, payload in enumerate(payloads):
            marker = 0x80 if place == len(payloads) - 1 else 0
            head = struct.pack(
                ">BBHII", 0x80, marker | 96, self._sequence, moment & 0xFFFFFFFF, 0x7A51
            )
            self._sequence = (self._sequence + 1) & 0xFFFF
            yield head + payload


def _between_lines(packet: bytes) -> bytes:
    return b"$\x00" + len(packet).to_bytes(2, "big") + packet


def _garbled(frame: Access) -> Access:
    return Access(
        tuple(unit[:2] + random.randbytes(len(unit)) for unit in frame.units),
        frame.sent,
        frame.shown,
    )


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def client_port(self) -> int:
        """The client's UDP port for RTP; 0 if RTP is to be interleaved in the RTSP connection."""
        found = re.search(r"client_port=(\d+)", self.headers.get("transport", ""))
        return int(found.group(1)) if found else 0


def _request(lines: Any) -> _Request | None:
    """None at the end."""
    first, headers = "", dict[str, str]()
    while line := lines.readline().decode(errors="replace").strip():
        if not first:
            first = line
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    method, target, *_ = f"{first}  ".split(" ")
    path = target.partition("://")[2].partition("/")[2].split("/")[0]
    return _Request(method, path, headers) if method else None


def _answer(request: _Request, camera: _Camera) -> bytes:
    status, head, body = "200 OK", list[str](), ""
    if request.method != "OPTIONS" and not camera.lets_in(request.headers.get("authorization", "")):
        status, head = "401 Unauthorized", [UNAUTHORIZED]
    elif request.method == "OPTIONS":
        head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    elif request.method == "DESCRIBE":
        body = _described(camera.clip)
        head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif request.method == "SETUP" and camera.over_udp and not request.client_port:
        status = "461 Unsupported Transport"
    elif request.method == "SETUP":
        head += [f"Transport: {_transport(request)}", "Session: 1"]
    elif request.method == "PLAY":
        head.append("Session: 1")
    lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", *head]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _described(clip: Clip) -> str:
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=film\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        f"{clip.description()}a=control:track1\r\n"
    )


def _transport(request: _Request) -> str:
    port = request.client_port
    if not port:
        return "RTP/AVP/TCP;unicast;interleaved=0-1"
    return f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port=40000-40001"
