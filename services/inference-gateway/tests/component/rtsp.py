"""A small RTSP server: one film over and over, RTP between the lines of one TCP connection.

Enough of RFC 2326 for a client that asks OPTIONS, DESCRIBE, SETUP and PLAY in this order.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av

RATE = 10
CODEC = {"crf": "18", "preset": "ultrafast", "tune": "zerolatency", "g": "5"}
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=film\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
)


class RtspServer:
    def __init__(self, pictures: Sequence[Any]) -> None:
        self._pictures = pictures
        self._stopped = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.hang_up_after: int | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"rtsp://camera:secret-word@127.0.0.1:{self._socket.getsockname()[1]}/live"

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
        lines = connection.makefile("rb")
        with connection, contextlib.suppress(OSError):
            while True:
                request = _request(lines)
                if request is None:
                    return
                method, sequence = request
                connection.sendall(_answer(method, sequence))
                if method == "PLAY":
                    return self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        """Lets the muxer send RTP to a socket of ours, and hands it on between `$` frames."""
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind(("127.0.0.1", 0))
        target = f"rtp://127.0.0.1:{receiver.getsockname()[1]}"
        # Beside the muxer, which sends a frame faster than a socket holds it.
        threading.Thread(target=_hand_on, args=(receiver, connection), daemon=True).start()
        with receiver, av.open(target, "w", format="rtp") as output:
            stream: Any = output.add_stream("h264", rate=RATE, options=CODEC)
            height, width = self._pictures[0].shape[:2]
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            number = 0
            while not self._stopped and number != self.hang_up_after:
                picture = self._pictures[number % len(self._pictures)]
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                output.mux(stream.encode(frame))
                time.sleep(1 / RATE)
                number += 1


def _hand_on(receiver: socket.socket, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while packet := receiver.recv(65536):
            connection.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)


def _request(lines: Any) -> tuple[str, str] | None:
    method, sequence = "", "0"
    while line := lines.readline().decode().strip():
        if not method:
            method = line.split()[0]
        elif line.lower().startswith("cseq:"):
            sequence = line.split(":")[1].strip()
    return (method, sequence) if method else None


def _answer(method: str, sequence: str) -> bytes:
    head = [f"RTSP/1.0 200 OK\r\nCSeq: {sequence}"]
    body = ""
    if method == "OPTIONS":
        head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    if method == "DESCRIBE":
        body = SDP
        head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    if method == "SETUP":
        head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    if method in ("SETUP", "PLAY"):
        head.append("Session: 1")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()
