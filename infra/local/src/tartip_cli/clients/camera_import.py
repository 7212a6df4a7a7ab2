"""Imports cameras into the register in batches; an interrupted import can be resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from chassis.channels import refusals_of
from chassis.clock import new_id
from chassis.refusals import Refusal
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.clients.journeys import PASSING
from tartip_cli.data_dir import DataDir, write_private

BATCH = 1000
# Batches that were sent and not answered: one is written while the next is read. If one more waited
# to be sent when the register refuses, gRPC would answer INTERNAL instead of the refusal.
_WINDOW = 2
_ATTEMPTS, _PAUSE_SECONDS = 10, 1.0


@dataclass
class Result:
    """The outcomes of the rows of an import: the number of rows of each outcome, and the findings.
    Findings are about refused rows, and about rows that probably duplicate another camera. The
    field `rows` counts the rows answered so far."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[pb.RowFinding] = field(default_factory=list)
    probable_duplicates: list[pb.RowFinding] = field(default_factory=list)

    def add(self, answer: pb.ImportCamerasResponse) -> None:
        self.added += answer.added
        self.changed += answer.changed
        self.unchanged += answer.unchanged
        self.refused += answer.refused
        self.probable_duplicates += answer.probable_duplicates


@dataclass(frozen=True)
class Unfinished:
    """An import that is not known to be complete. Its id is stored in the file `path` until
    `finish` is called, so that an interrupted import can be resumed."""

    import_id: str
    path: Path

    @classmethod
    def named(cls, home: DataDir, name: str) -> Unfinished:
        """Return the interrupted import of this name, or a new one if there is none."""
        folder = home.path / "imports"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{name}.json"
        if not path.exists():
            write_private(path, json.dumps({"import_id": str(new_id())}).encode())
        return cls(str(json.loads(path.read_text())["import_id"]), path)

    def finish(self) -> None:
        self.path.unlink(missing_ok=True)


async def send_all(
    stub: Any,
    import_id: str,
    rows: Callable[[], Iterable[pb.ImportedCamera]],
    *,
    dry_run: bool = False,
    after_each: Callable[[int], None] = lambda count: None,
) -> Result:
    """Send all rows of an import and return their outcomes; reopens the stream if it breaks.

    Each call of `rows` must yield the same rows. The register does not apply a batch twice: if an
    earlier run sent the batch, the register repeats its answer. After each batch, `after_each` is
    called with the number of rows answered so far.

    Raises Refusal if a refusal is not temporary, or if more than ten attempts in a row fail.
    """
    result, broken, taken = Result(), 0, 0
    while True:
        sent: list[int] = []
        window = asyncio.Semaphore(_WINDOW)
        requests = _requests(import_id, rows(), taken, sent, window, dry_run=dry_run)
        try:
            async for answer in refusals_of(stub.ImportCameras(requests)):
                window.release()
                taken, broken = answer.number, 0
                result.rows += sent.pop(0)
                result.add(answer)
                after_each(result.rows)
            return result
        except Refusal as refusal:
            broken += 1
            if refusal.kind not in PASSING or broken > _ATTEMPTS:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def _requests(
    import_id: str,
    rows: Iterable[pb.ImportedCamera],
    taken: int,
    sent: list[int],
    window: asyncio.Semaphore,
    *,
    dry_run: bool,
) -> AsyncIterator[pb.ImportCamerasRequest]:
    """The batches after the one that was taken last; adds the number of rows of each to `sent`."""
    for number, batch in enumerate(_batches(rows), 1):
        if number > taken:
            await window.acquire()
            sent.append(len(batch))
            yield pb.ImportCamerasRequest(
                import_id=import_id, number=number, dry_run=dry_run, cameras=batch
            )


def _batches(rows: Iterable[pb.ImportedCamera]) -> Iterator[Sequence[pb.ImportedCamera]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch
