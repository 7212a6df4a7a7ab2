"""The steps of sending the media of a report (see `flows`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner.errors import Refused, TartipError
from tartip_partner.flows import Flow, Rpc, Work
from tartip_partner.media import PIECE_BYTES, Upload
from tartip_partner.retries import Retries

# Called with the bytes that have arrived and the bytes of all media together.
Progress = Callable[[int, int], None]

PUT_MEDIA = Rpc[pb.PutMediaRequest, pb.PutMediaResponse]("PutMedia")
# So much of a file is sent before the report of an emergency: the service takes the rest of what
# was begun.
BEGINNING_BYTES = 64 * 1024
_GAPS_MAX = 10


@dataclass
class Sending:
    """The media of one report, and how much of each has arrived."""

    report_id: str
    uploads: Sequence[Upload]
    retries: Retries
    progress: Progress | None
    failed: dict[int, Refused | OSError] = field(default_factory=dict)
    """Why a file was refused, or could not be read, by its position."""
    _received: dict[int, int] = field(default_factory=dict)
    _complete: set[int] = field(default_factory=set)
    _gaps: Counter[int] = field(default_factory=Counter)

    def send_all(self) -> Flow[None]:
        """Send each file completely. Raises Refused at the first refused file."""
        for at in range(len(self.uploads)):
            yield from self._send_rest(at)

    def begin_each(self) -> Flow[None]:
        """Send the beginning of each file. Files that the service refuses by name are in `failed`
        afterwards. Raises Refused if the service names no reason: then the file may be begun later,
        but not after its report."""
        for at in range(len(self.uploads)):
            try:
                yield from self._put(at, BEGINNING_BYTES)
            except Refused as refused:
                if not refused.is_named:
                    raise
                self.failed[at] = refused

    def send_rests(self) -> Flow[None]:
        """Send the rest of each begun file, the smallest first, so that operators soon see a
        picture. A file that is refused, or cannot be read, is in `failed` afterwards."""
        for at in sorted(range(len(self.uploads)), key=lambda at: self.uploads[at].total_bytes):
            if at in self.failed:
                continue
            try:
                yield from self._send_rest(at)
            except (Refused, OSError) as reason:
                self.failed[at] = reason

    def _send_rest(self, at: int) -> Flow[None]:
        while at not in self._complete:
            yield from self._put(at, PIECE_BYTES)

    def _put(self, at: int, size: int) -> Flow[None]:
        """Send a piece of at most `size` bytes, from where the service says that it has all
        before."""
        upload, offset = self.uploads[at], self._received.get(at, 0)
        content = yield Work(partial(upload.piece, offset, size))
        piece = pb.PutMediaRequest(
            report_id=self.report_id,
            media_id=upload.media_id,
            offset=offset,
            content=content,
            total_bytes=upload.total_bytes,
            sha256=upload.sha256,
            content_type=upload.content_type,
        )
        try:
            answer = yield from PUT_MEDIA(piece, self.retries, is_piece=True)
        except Refused as refused:
            self._gaps[at] += 1
            if refused.reason != "MEDIA_GAP" or self._gaps[at] > _GAPS_MAX:
                raise
            self._received[at] = int(refused.facts["received_bytes"])
            return
        if not answer.complete and answer.received_bytes <= offset:
            raise TartipError(f"the upload stands still at byte {offset}")
        self._received[at] = answer.received_bytes
        if answer.complete:
            self._complete.add(at)
        if self.progress:
            total = sum(upload.total_bytes for upload in self.uploads)
            self.progress(sum(self._received.values()), total)
