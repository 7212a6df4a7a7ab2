"""Callers of the service, each with its certificate or token."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from chassis.clock import new_id, to_timestamp
from chassis.grpc_status import from_error
from chassis.purpose import purpose_metadata
from chassis.refusals import Refusal
from tartip.inference.v1 import inference_pb2

from .peers import CALL_SECONDS, Device


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    stub: Any
    metadata: tuple[tuple[str, str], ...]
    shown: str = ""

    def ingest(
        self,
        device: Device,
        picture: bytes,
        *,
        frame_id: str | None = None,
        at: datetime | None = None,
        readings: inference_pb2.SignedReadings | None = None,
    ) -> inference_pb2.FrameResult:
        request = inference_pb2.IngestFrameRequest(
            frame_id=frame_id or str(new_id()),
            camera_id=device.camera_id,
            captured_at=to_timestamp(at or datetime.now(UTC)),
            picture=picture,
            readings=readings,
        )
        answer = self.stub.IngestFrame(request, timeout=CALL_SECONDS, metadata=self.metadata)
        return answer.result  # type: ignore[no-any-return]

    def show(self, device: Device, film: bytes, **told: Any) -> list[Any]:
        """The answers that hold a result; see `show_all`."""
        return [a for a in self.show_all(device, film, **told) if a.HasField("result")]

    def show_all(
        self, device: Device, film: bytes, *, film_id: str, at: datetime, rate: float = 4.0
    ) -> list[inference_pb2.IngestFilmResponse]:
        """With the account at the end."""

        def parts() -> Iterator[inference_pb2.IngestFilmRequest]:
            header = inference_pb2.FilmHeader(
                film_id=film_id,
                camera_id=device.camera_id,
                started_at=to_timestamp(at),
                frames_per_second=rate,
            )
            yield inference_pb2.IngestFilmRequest(header=header)
            for start in range(0, len(film), 500_000):
                yield inference_pb2.IngestFilmRequest(content=film[start : start + 500_000])

        return list(self.stub.IngestFilm(parts(), timeout=120, metadata=self.metadata))

    def watch(
        self, device: Device, address: str, *, max_frames: int
    ) -> list[inference_pb2.FrameResult]:
        request = inference_pb2.WatchStreamRequest(
            camera_id=device.camera_id,
            address=address,
            max_frames=max_frames,
            frames_per_second=5.0,
        )
        answers = self.stub.WatchStream(request, timeout=60, metadata=self.metadata)
        return [answer.result for answer in answers]

    def store(
        self,
        content: bytes,
        *,
        sha256: str | None = None,
        region: str = "KZ-75",
        role: str = "",
        confidential: bool = False,
        shown: str = "",
    ) -> str:
        """Leaves the hash of the shown form in `shown`."""

        def parts() -> Iterator[inference_pb2.StoreEvidenceRequest]:
            header = inference_pb2.EvidenceHeader(
                sha256=sha256 or hashlib.sha256(content).hexdigest(),
                content_type="image/jpeg",
                region=region,
                only_role=role,
                confidential=confidential,
                shown_sha256=shown,
            )
            yield inference_pb2.StoreEvidenceRequest(header=header)
            for start in range(0, len(content), 500_000):
                yield inference_pb2.StoreEvidenceRequest(content=content[start : start + 500_000])

        answer = self.stub.StoreEvidence(parts(), timeout=CALL_SECONDS, metadata=self.metadata)
        assert answer.size_bytes == len(content)
        self.shown = str(answer.shown_sha256)
        return str(answer.sha256)

    def read(
        self, sha256: str, *, purpose: str = "test", confidential: bool = False
    ) -> tuple[str, bytes]:
        """The content type and the shown form; what the first message says of it must be true."""
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256, confidential=confidential)
        metadata = (*self.metadata, *purpose_metadata(purpose))
        answers = list(self.stub.ReadEvidence(request, timeout=CALL_SECONDS, metadata=metadata))
        first, content = answers[0], b"".join(answer.content for answer in answers)
        assert first.sha256 == hashlib.sha256(content).hexdigest()
        assert (first.original_sha256, first.size_bytes) == (sha256, len(content))
        return first.content_type, content


@contextmanager
def refused(reason: str) -> Iterator[list[Refusal]]:
    """The block is refused by this name; the refusal is left in the list."""
    told: list[Refusal] = []
    try:
        yield told
    except grpc.RpcError as error:
        told.append(from_error(error))  # type: ignore[arg-type]
        assert told[0].reason == reason, told[0].message.en
    else:
        raise AssertionError(f"not refused; {reason} was expected")
