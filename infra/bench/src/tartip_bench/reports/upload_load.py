"""`python -m tartip_bench.reports.upload_load KIND CONFIG FILES BYTES`: uploads films at once.

KIND is `service` (CONFIG is one of `partner_load`; each film belongs to a report of its own and is
taken whole at the end) or `sink` (CONFIG is one of `chassis.load`). Each file is sent in pieces,
one after the other; FILES of BYTES each are sent at once.

Prints JSON with the key `rate`: MiB per second in total. Ends with an error if a piece is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvloop
from chassis.clock import new_id
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value
from tartip.reports.v1 import reports_pb2
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub

from tartip_bench.chassis.contract import SINK
from tartip_bench.chassis.load import channel
from tartip_bench.partner_load import a_report, channel_to

MIB = 1024 * 1024
PIECE = 512 * 1024
CALL_SECONDS = 120.0
FRAMES = 10
Send = Callable[[int, bytes], Awaitable[object]]


def film(size: int) -> bytes:
    """An MP4 film of a second, filled up to `size` bytes with an empty box, as cameras do."""
    written = io.BytesIO()
    noise = np.random.default_rng(7)
    with av.open(written, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=FRAMES)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for _ in range(FRAMES):
            picture = noise.integers(0, 255, (144, 176, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = written.getvalue()
    empty = size - len(content)
    return content + struct.pack(">I", empty) + b"free" + bytes(empty - 8)


async def in_pieces(send: Send, content: bytes) -> None:
    for offset in range(0, len(content), PIECE):
        await send(offset, content[offset : offset + PIECE])


async def to_sink(config: str, files: int, content: bytes) -> float:
    """Return how many seconds the upload took."""
    async with channel(json.loads(config)) as opened:
        take = opened.unary_unary(
            SINK,
            request_serializer=BytesValue.SerializeToString,
            response_deserializer=Int64Value.FromString,
        )
        await opened.channel_ready()

        def send(_: int, piece: bytes) -> Awaitable[object]:
            answer: Awaitable[object] = take(BytesValue(value=piece), timeout=CALL_SECONDS)
            return answer

        began = time.perf_counter()
        await asyncio.gather(*(in_pieces(send, content) for _ in range(files)))
        return time.perf_counter() - began


async def to_service(config: str, files: int, content: bytes) -> float:
    """Return how many seconds the upload took."""
    sha256 = hashlib.sha256(content).hexdigest()
    async with channel_to("reports", json.loads(config)) as opened:
        stub: Any = CitizenReportsStub(opened)

        async def opened_report() -> str:
            request = a_report()
            await stub.OpenReport(request, timeout=CALL_SECONDS)
            return request.report_id

        async def upload(report_id: str) -> None:
            media_id = str(new_id())

            async def send(offset: int, piece: bytes) -> None:
                request = reports_pb2.PutMediaRequest(
                    report_id=report_id,
                    media_id=media_id,
                    total_bytes=len(content),
                    sha256=sha256,
                    content_type="video/mp4",
                    offset=offset,
                    content=piece,
                )
                answer = await stub.PutMedia(request, timeout=CALL_SECONDS)
                is_last = offset + len(piece) == len(content)
                assert answer.complete == is_last, "the film was not taken whole"

            await in_pieces(send, content)

        reports = [await opened_report() for _ in range(files)]
        began = time.perf_counter()
        await asyncio.gather(*map(upload, reports))
        return time.perf_counter() - began


KINDS = {"sink": to_sink, "service": to_service}


async def main(kind: str, config: str, files: int, size: int) -> None:
    content = film(size)
    took = await KINDS[kind](config, files, content)
    print(json.dumps({"rate": files * len(content) / MIB / took}))


if __name__ == "__main__":
    kind, config, files, size = sys.argv[1:]
    uvloop.run(main(kind, Path(config).read_text(), int(files), int(size)))
