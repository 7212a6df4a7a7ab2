"""A small RTSP server for tests and measurements: H.264 films over and over, and faults on demand.

What RFC 2326 (RTSP over TCP, RTP between its lines) and RFC 6184 (H.264 in RTP) ask of one stream
that is described, set up and played. A film is encoded once, so that many may watch on few cores.
"""

import base64
import contextlib
import io
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

TICKS_A_SECOND = 90_000
PAYLOAD_BYTES = 1400
SPS, PPS, FRAGMENT = 7, 8, 28
# Where RTP's clock begins; FFmpeg takes 0 for a clock that is not known.
CLOCK_BEGINS = 1_000_000
CODEC = {"crf": "18", "preset": "ultrafast", "tune": "zerolatency"}


class Fault(Enum):
    """What a stream does instead of going on."""

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


@dataclass(frozen=True)
class Access:
    """One encoded frame: its NAL units, when it is sent and what moment it shows, in ticks."""

    units: tuple[bytes, ...]
    sent: int
    shown: int


@dataclass(frozen=True)
class Clip:
    """A film as it is sent, over and over: `length` ticks a round."""

    frames: tuple[Access, ...]
    length: int

    def parameters(self) -> bytes:
        """What decoders are told before the first frame, as in an SDP."""
        kept: dict[int, bytes] = {}
        for frame in self.frames:
            for unit in frame.units:
                kept.setdefault(unit[0] & 31, unit)
        return b",".join(base64.b64encode(kept[kind]) for kind in (SPS, PPS))


def film_of(
    pictures: Sequence[Any],
    *,
    rate: int,
    key_every: int = 10,
    options: dict[str, str] | None = None,
) -> bytes:
    """An MP4 of BGR pictures [h,w,3] of one size."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        chosen = {**CODEC, "g": str(key_every), **(options or {})}
        stream: Any = output.add_stream("h264", rate=rate, options=chosen)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def looped(film: bytes | Path, *, rounds: int) -> bytes:
    """The same H.264 film so many times in one MP4, not encoded again."""
    file = io.BytesIO()
    with av.open(_source(film)) as container, av.open(file, "w", format="mp4") as output:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        target = output.add_stream_from_template(stream)
        sent = sorted(packet.dts for packet in packets)
        length = sent[-1] - sent[0] + max(1, (sent[-1] - sent[0]) // max(1, len(sent) - 1))
        moments = [(packet.pts, packet.dts) for packet in packets]
        for turn in range(rounds):
            for packet, (shown, due) in zip(packets, moments, strict=True):
                packet.pts, packet.dts = shown + turn * length, due + turn * length
                packet.stream = target
                packet.time_base = stream.time_base
                output.mux(packet)
    return file.getvalue()


def clip_of(film: bytes | Path) -> Clip:
    """A film that is H.264 in MP4 or MOV, not encoded again."""
    with av.open(_source(film)) as container:
        stream = container.streams.video[0]
        to_units = BitStreamFilterContext("h264_mp4toannexb", stream)
        packets: list[Any] = [
            filtered
            for packet in container.demux(stream)
            for filtered in to_units.filter(packet if packet.size else None)
        ]
    ticks = [
        (_ticks(packet.dts * packet.time_base), _ticks(packet.pts * packet.time_base), packet)
        for packet in packets
    ]
    first_sent, first_shown = ticks[0][0], min(shown for _, shown, _ in ticks)
    frames = tuple(
        Access(tuple(_units(bytes(packet))), sent - first_sent, shown - first_shown)
        for sent, shown, packet in ticks
    )
    step = max(1, frames[-1].sent // max(1, len(frames) - 1))
    return Clip(frames, frames[-1].sent + step)


def _source(film: bytes | Path) -> Any:
    return io.BytesIO(film) if isinstance(film, bytes) else str(film)


def _ticks(seconds: Fraction) -> int:
    return round(seconds * TICKS_A_SECOND)


def _units(stream: bytes) -> Iterator[bytes]:
    """The NAL units between start codes."""
    for piece in stream.split(b"\x00\x00\x01"):
        unit = piece.rstrip(b"\x00")
        if unit:
            yield unit


class RtspServer:
    """Serves a clip under any path, or one of its own under a path; a thread a connection."""

    def __init__(self, film: "Clip | Sequence[Any]", *, rate: int = 10, key_every: int = 5) -> None:
        clip = film if isinstance(film, Clip) else None
        self._clip = clip or clip_of(film_of(film, rate=rate, key_every=key_every))  # type: ignore[arg-type]
        self._own: dict[str, Clip] = {}
        self._faults: dict[str, Fault] = {}
        self._stopped = False
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.connections = 0
        self.hang_up_after: int | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return self.address_of("live")

    def address_of(self, path: str) -> str:
        port = self._socket.getsockname()[1]
        return f"rtsp://camera:secret-word@127.0.0.1:{port}/{path}"

    def put(self, path: str, clip: Clip) -> None:
        self._own[path] = clip

    def break_down(self, path: str, fault: Fault) -> None:
        """From now on, those who watch already included; Fault.NONE heals new connections."""
        self._faults[path] = fault

    def stop(self) -> None:
        self._stopped = True
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopped:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = connection.makefile("rb")
        with connection, contextlib.suppress(OSError):
            while (request := _request(lines)) is not None:
                method, path, sequence = request
                if self._faults.get(path) is Fault.CLOSED:
                    return
                connection.sendall(_answer(method, sequence, self._own.get(path, self._clip)))
                if method == "PLAY":
                    self._play(connection, path)
                    return

    def _play(self, connection: socket.socket, path: str) -> None:
        clip, sender = self._own.get(path, self._clip), _Sender(connection)
        started, number = time.monotonic(), 0
        while not self._stopped and number != self.hang_up_after:
            turn, place = divmod(number, len(clip.frames))
            frame = clip.frames[place]
            due = started + (turn * clip.length + frame.sent) / TICKS_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            fault = self._faults.get(path, Fault.NONE)
            shown = turn * clip.length + frame.shown
            if fault is Fault.CLOSED:
                return
            if fault is Fault.CUT:
                sender.half(frame, shown)
                return
            if fault is Fault.NOISE:
                connection.sendall(os.urandom(3000))
            elif fault is Fault.GARBLED:
                sender.send(_garbled(frame), shown)
            elif fault is Fault.FROZEN:
                # Encoded on its own, so that it decodes to the same bits each time.
                sender.send(clip.frames[0], shown)
            elif fault is Fault.NONE:
                sender.send(frame, shown)
            number += 1


class _Sender:
    """RTP between the lines of an RTSP connection (channel 0)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sequence = 0

    def send(self, frame: Access, shown: int) -> None:
        self._connection.sendall(b"".join(self._packets(frame, shown)))

    def half(self, frame: Access, shown: int) -> None:
        whole = b"".join(self._packets(frame, shown))
        self._connection.sendall(whole[: len(whole) // 2])

    def _packets(self, frame: Access, shown: int) -> Iterator[bytes]:
        payloads = [payload for unit in frame.units for payload in _payloads(unit)]
        moment = CLOCK_BEGINS + shown
        for place, payload in enumerate(payloads):
            marker = 0x80 if place == len(payloads) - 1 else 0
            head = struct.pack(
                ">BBHII", 0x80, marker | 96, self._sequence, moment & 0xFFFFFFFF, 0x7A51
            )
            self._sequence = (self._sequence + 1) & 0xFFFF
            packet = head + payload
            yield b"$\x00" + len(packet).to_bytes(2, "big") + packet


def _payloads(unit: bytes) -> Iterator[bytes]:
    """A unit whole, or in fragments that name its kind."""
    if len(unit) <= PAYLOAD_BYTES:
        yield unit
        return
    indicator, kind = (unit[0] & 0xE0) | FRAGMENT, unit[0] & 0x1F
    pieces = [unit[at : at + PAYLOAD_BYTES] for at in range(1, len(unit), PAYLOAD_BYTES)]
    for place, piece in enumerate(pieces):
        start, end = place == 0, place == len(pieces) - 1
        yield bytes([indicator, (start << 7) | (end << 6) | kind]) + piece


def _garbled(frame: Access) -> Access:
    return Access(
        tuple(unit[:1] + random.randbytes(len(unit)) for unit in frame.units),
        frame.sent,
        frame.shown,
    )


def _request(lines: Any) -> tuple[str, str, str] | None:
    """Method, path and sequence number; None at the end."""
    method, path, sequence = "", "", "0"
    while line := lines.readline().decode(errors="replace").strip():
        if not method:
            method, target = f"{line}  ".split(" ")[:2]
            path = target.partition("://")[2].partition("/")[2].split("/")[0]
        elif line.lower().startswith("cseq:"):
            sequence = line.split(":")[1].strip()
    return (method, path, sequence) if method else None


def _answer(method: str, sequence: str, clip: Clip) -> bytes:
    head = [f"RTSP/1.0 200 OK\r\nCSeq: {sequence}"]
    body = ""
    if method == "OPTIONS":
        head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    if method == "DESCRIBE":
        body = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=film\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;"
            f"sprop-parameter-sets={clip.parameters().decode()}\r\na=control:track1\r\n"
        )
        head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    if method == "SETUP":
        head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    if method in ("SETUP", "PLAY"):
        head.append("Session: 1")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()
